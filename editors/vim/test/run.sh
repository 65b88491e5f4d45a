#!/usr/bin/env bash
# Vim with YouCompleteMe in a terminal (tmux), both Debian's: test/run.sh VIM. REDRAFT_BIN is the server.
set -euo pipefail
vim=$1
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=editors/terminal.sh
. "$here/../../terminal.sh"
sample_in "$work/w"
mkdir -p "$work/path" "$work/home"
ln -s "$REDRAFT_BIN" "$work/path/redraft"
# YouCompleteMe's own server is made for the system's Python.
cat >"$work/home/.vimrc" <<VIMRC
set nocompatible nomore hidden
filetype plugin indent on
set runtimepath+=/usr/share/vim-youcompleteme
let g:ycm_server_python_interpreter = '/usr/bin/python3'
let g:ycm_auto_hover = ''
source $here/../youcompleteme.vim
VIMRC

"$vim" --version | head -n 1
start_terminal "cd $work/w && HOME=$work/home REDRAFT_CACHE=$cache PATH=$work/path:\$PATH $vim pasted.rs"
wait_for_screen pasted.rs 20 || give_up "Vim did not open the file"

open_menu() {
    press_text ":${lines}YcmCompleter FixIt"
    press Enter
}
# apply TITLE: takes the action of this title from YouCompleteMe's numbered list, which comes once its server runs.
apply() {
    for _ in $(seq 30); do
        open_menu
        if wait_for_screen "1: $1" 3; then
            press 1 Enter
            return
        fi
        press Escape
    done
    give_up "\"$1\" was never offered"
}

lines=21,24
apply "Apply suggestion"
wait_for_screen "Applied 3 changes" 10 || give_up "nothing was applied"
save_until "$work/w/pasted.rs" "$sample_expected"
echo "ok   code action on the selected lines"
press u
save_until "$work/w/pasted.rs" "$sample_pasted"
echo "ok   undo in one step"

press_text ':edit chat.md'
press Enter
wait_for_screen '"chat.md"' 10 || give_up "chat.md was not opened"
lines=5
apply "Apply suggestion to target.rs"
# The file is in no window: YouCompleteMe asks.
wait_for_screen "Do y" 10 || give_up "not asked"
press Enter
wait_for_screen "Applied 2 changes" 10 || give_up "nothing was applied"
press_text ':buffer target.rs'
press Enter
save_until "$work/w/target.rs" "$sample_expected"
echo "ok   code action in a Markdown block"

press_text ':edit! ghost.rs'
press Enter
wait_for_screen '"ghost.rs"' 10 || give_up "ghost.rs was not opened"
press 6 G A
press_text 'a -'
# Asked for until the model has an answer: the list shows what would follow.
for _ in $(seq 20); do
    press C-Space
    ! wait_for_screen "Redraft" 2 || break
done
press C-n Escape
# shellcheck disable=SC2059
save_until "$work/w/ghost.rs" "$(printf "$sample_ghost" 'a - b')"
echo "ok   completion"
