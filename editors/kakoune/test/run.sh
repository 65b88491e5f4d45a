#!/usr/bin/env bash
# Kakoune with kak-lsp in a terminal (tmux): test/run.sh KAK KAK-LSP. REDRAFT_BIN is the server.
set -euo pipefail
kak=$1 kak_lsp=$2
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=editors/terminal.sh
. "$here/../../terminal.sh"
sample_in "$work/w"
mkdir -p "$work/config/kak" "$work/path" "$work/runtime"
ln -s "$REDRAFT_BIN" "$work/path/redraft"
# kak-lsp's own servers are not here.
cat >"$work/config/kak/kakrc" <<KAKRC
evaluate-commands %sh{ $kak_lsp --kakoune -s \$kak_session }
remove-hooks global lsp-filetype-.*
source $here/../redraft.kak
lsp-enable
KAKRC

"$kak_lsp" --version
start_terminal "cd $work/w && XDG_CONFIG_HOME=$work/config XDG_RUNTIME_DIR=$work/runtime REDRAFT_CACHE=$cache \
    PATH=$work/path:\$PATH $kak pasted.rs"

open_menu() {
    press :
    press_text lsp-code-actions
    press Enter
}

wait_for_screen pasted.rs 20 || give_up "Kakoune did not open the file"
press 2 1 g x J J J x
choose "Apply suggestion"
save_until "$work/w/pasted.rs" "$sample_expected"
echo "ok   code action on the selected lines"
# kak-lsp makes one undo step of each of the three edits.
press u u u
save_until "$work/w/pasted.rs" "$sample_pasted"
echo "ok   undo"

press :
press_text 'edit chat.md'
press Enter 5 g
choose "Apply suggestion to target.rs"
# It is not open: kak-lsp changes it on the disk.
becomes "$work/w/target.rs" "$sample_expected" 30 || not_as_it_should_be "$work/w/target.rs" "$sample_expected"
echo "ok   code action in a Markdown block"

press :
press_text 'edit ghost.rs'
press Enter 6 g A
press_text 'a -'
# The list shows what would follow.
wait_for_screen " b Snippet" 30 || give_up "no completion"
press C-n Escape
# shellcheck disable=SC2059
save_until "$work/w/ghost.rs" "$(printf "$sample_ghost" 'a - b')"
echo "ok   completion"
# Told to, it ends its kak-lsp, too.
press :
press_text 'quit!'
press Enter
