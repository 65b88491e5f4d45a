#!/usr/bin/env bash
# Neovim in a terminal, as a person uses it: test/terminal.sh PATH-OF-NVIM. REDRAFT_BIN is the server.
set -euo pipefail
nvim=$1
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=editors/terminal.sh
. "$here/../../terminal.sh"
# shellcheck source=editors/neovim/test/home.sh
. "$here/home.sh"
(make_home "$work")

original='pub fn add(a: u32, b: u32) -> u32 {
    a + b
}

pub fn double(a: u32) -> u32 {
    a + a
}'
snippet='pub fn double(a: u32) -> u32 {
    a * 2
}'
printf '%s\n\n%s\n' "$original" "$snippet" >"$work/workspace/pasted.rs"
start_terminal "cd $work/workspace && XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_STATE_HOME=$work/state \
    XDG_CACHE_HOME=$work/cache REDRAFT_CACHE=$cache REDRAFT_BIN=$REDRAFT_BIN $nvim pasted.rs"
wait_for_screen "a * 2" 20 || give_up "Neovim did not open the file"
press ':lua vim.wait(20000, function() local c = require("redraft").client() return c and c.initialized end)' Enter
# The last three lines: selected, and applied.
press G V k k ':RedraftApply' Enter
# The old line is shown above the new one until the change is kept, and the pasted function is gone.
wait_until() {
    local end=$((SECONDS + 30))
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || give_up "waited in vain for: $*"
        wait_for_screen "never there" 1 || true
    done
}
applied() { [ "$(screen | grep -c 'pub fn double')" = 1 ] && wait_for_screen "    a + a" 0; }
kept() { ! wait_for_screen "    a + a" 0; }
wait_until applied
wait_for_screen "    a * 2" 5 || give_up "the new line is not shown"
echo "ok   a selected snippet, with the old line above the new one"
press ':RedraftKeep!' Enter
wait_until kept
save_until "$work/workspace/pasted.rs" "${original/a + a/a * 2}"
echo "ok   kept and saved"

printf 'pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn subtract(a: u32, b: u32) -> u32 {\n    \n}\n' >"$work/workspace/ghost.rs"
press ':edit ghost.rs' Enter 6 G A a
if ! wait_for_screen "a - b" 20; then
    press Space -
    wait_for_screen "a - b" 20 || give_up "no ghost text"
fi
press Tab
wait_until wait_for_screen 'a - b' 0
press Escape
save_until "$work/workspace/ghost.rs" "$(printf 'pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn subtract(a: u32, b: u32) -> u32 {\n    a - b\n}')"
echo "ok   ghost text, accepted with Tab"
