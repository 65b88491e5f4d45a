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

# save_until FILE TEXT: saves by `:w`, in the editor's normal mode, until the file has this text; ends the test when it never does.
save_until() {
    local end=$((SECONDS + 60))
    while press ':w' Enter; do
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            [ "$(cat "$1" 2>/dev/null)" != "$2" ] || return 0
            read -rt 0.2 <> <(:) || true
        done
        [ "$SECONDS" -lt "$end" ] || give_up "$1 is not as it should be: $(diff <(printf '%s\n' "$2") "$1")"
    done
}

# give_up WHY: shows the screen and ends the test.
give_up() {
    echo "FAIL $1; the screen:"
    screen | sed 's/^/  | /'
    exit 1
}
