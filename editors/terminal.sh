# For tests of editors in a terminal: a tmux of its own, and waiting for what it shows. Sets `work`, a folder that goes
# away at the end, and `cache`, where the models are.

work=$(mktemp -d)
cache=${REDRAFT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/redraft}
socket=$work/tmux
trap 'tmux -S "$socket" kill-server 2>/dev/null; rm -rf "$work"' EXIT

# start_terminal COMMAND: runs it in a terminal of 120 by 40.
start_terminal() {
    tmux -S "$socket" -f /dev/null new-session -d -x 120 -y 40 -s test "$1"
}

# press KEY...: as `tmux send-keys` names them, one after another. Escape stands alone: with a key right behind it, a
# terminal cannot tell it from Alt.
press() {
    local key
    for key in "$@"; do tmux -S "$socket" send-keys -t test "$key"; done
}

# press_text TEXT: types it as it is.
press_text() {
    tmux -S "$socket" send-keys -t test -l "$1"
}

screen() {
    tmux -S "$socket" capture-pane -p -t test
}

# wait_for_screen TEXT SECONDS: whether the text comes to stand on the screen.
wait_for_screen() {
    local end=$((SECONDS + $2))
    until screen 2>/dev/null | grep -qF -- "$1"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        read -rt 0.1 <> <(:) || true
    done
}

# becomes FILE TEXT SECONDS: whether the file comes to have this text.
becomes() {
    local end=$((SECONDS + $3))
    until [ "$(cat "$1" 2>/dev/null)" = "$2" ]; do
        [ "$SECONDS" -lt "$end" ] || return 1
        read -rt 0.1 <> <(:) || true
    done
}

# save_until FILE TEXT: saves by `:w`, in the editor's normal mode, until the file has this text; ends the test when it never does.
save_until() {
    local end=$((SECONDS + 60))
    while press ':w' Enter; do
        ! becomes "$1" "$2" 2 || return 0
        [ "$SECONDS" -lt "$end" ] || not_as_it_should_be "$1" "$2"
    done
}

# not_as_it_should_be FILE TEXT: shows the difference and ends the test.
not_as_it_should_be() {
    give_up "$1 is not as it should be: $(diff <(printf '%s\n' "$2") "$1")"
}

# choose TITLE: takes it from the editor's menu, which `open_menu` opens. The menu comes once the server is there: asked for
# until it does.
choose() {
    local tries
    for tries in $(seq 30); do
        open_menu
        if wait_for_screen "$1" 2; then
            press Enter
            return
        fi
        press Escape
        wait_for_screen "$1" 1 || true
    done
    give_up "\"$1\" was never offered"
}

# give_up WHY: shows the screen and ends the test.
give_up() {
    echo "FAIL $1; the screen:"
    screen | sed 's/^/  | /'
    exit 1
}

# sample_in DIR: a workspace with the sample that all editors share: pasted.rs has the snippet below the code, from line 21
# on; target.rs is the code alone; chat.md has the snippet for target.rs from line 4 on. ghost.rs
# wants `a - b` in line 6. Sets `sample_pasted`, `sample_expected`, which both files should become, and `sample_ghost`, the
# format of the third.
sample_in() {
    local sample
    sample=$(cd "$(dirname "${BASH_SOURCE[0]}")/sample" && pwd)
    mkdir -p "$1/.git"
    cp "$sample/counter.rs" "$1/target.rs"
    sample_expected=$(cat "$sample/edited.rs")
    sample_pasted=$(cat "$sample/counter.rs"; echo; cat "$sample/snippet.rs")
    printf '%s\n' "$sample_pasted" >"$1/pasted.rs"
    # shellcheck disable=SC2016
    { printf 'In `target.rs`:\n\n```rust\n'; cat "$sample/snippet.rs"; printf '```\n'; } >"$1/chat.md"
    # shellcheck disable=SC2034
    sample_ghost='pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn subtract(a: u32, b: u32) -> u32 {\n    %s\n}'
    # shellcheck disable=SC2059
    printf "$sample_ghost\n" '' >"$1/ghost.rs"
}
