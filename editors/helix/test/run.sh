#!/usr/bin/env bash
# Helix in a terminal (tmux) with the settings beside this: test/run.sh PATH-OF-HX. REDRAFT_BIN is the server.
set -euo pipefail
helix=$1
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=editors/terminal.sh
. "$here/../../terminal.sh"

sample_in "$work/w"
mkdir -p "$work/config/helix" "$work/path"
cp "$here/../languages.toml" "$work/config/helix/"
ln -s "$REDRAFT_BIN" "$work/path/redraft"

"$helix" --version
start_terminal "cd $work/w && XDG_CONFIG_HOME=$work/config XDG_CACHE_HOME=$work/cache REDRAFT_CACHE=$cache \
    PATH=$work/path:\$PATH $helix pasted.rs"

open_menu() { press Space a; }

wait_for_screen pasted.rs 20 || give_up "Helix did not open the file"
# Four lines from line 21, whole.
press : 2 1 Enter x x x x
choose "Apply suggestion"
save_until "$work/w/pasted.rs" "$sample_expected"
echo "ok   code action on the selected lines"
press u
save_until "$work/w/pasted.rs" "$sample_pasted"
echo "ok   undo in one step"

press : o Space target.rs Enter
wait_for_screen " target.rs " 10 || give_up "target.rs was not opened"
press : o Space chat.md Enter
wait_for_screen " chat.md " 10 || give_up "chat.md was not opened"
press : 5 Enter
choose "Apply suggestion to target.rs"
press : o Space target.rs Enter
wait_for_screen " target.rs " 10 || give_up "target.rs was not opened"
save_until "$work/w/target.rs" "$sample_expected"
echo "ok   code action in a Markdown block"

press : o Space ghost.rs Enter
wait_for_screen " ghost.rs " 10 || give_up "ghost.rs was not opened"
press 6 G A
press_text 'a -'
# Asked for until the model has an answer: the list shows what would follow.
completion_shown() {
    for _ in $(seq 20); do
        press C-x
        ! wait_for_screen " snippet" 2 || return 0
    done
    return 1
}
completion_shown || give_up "no completion"
press Tab Enter Escape
# shellcheck disable=SC2059
save_until "$work/w/ghost.rs" "$(printf "$sample_ghost" 'a - b')"
echo "ok   completion"
