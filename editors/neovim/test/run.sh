#!/usr/bin/env bash
# Headless Neovim with Redraft as a plain package: test/run.sh PATH-OF-NVIM. REDRAFT_BIN is the server.
set -euo pipefail
nvim=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=editors/neovim/test/home.sh
. "$here/home.sh"
REDRAFT_SAMPLE=$(cd "$here/../../sample" && pwd)
export REDRAFT_SAMPLE
make_home "$work"
cd "$work/workspace"
"$nvim" --version | head -n 1
# `:help` needs tags, as `:helptags ALL` makes them for any package.
"$nvim" --headless -c 'helptags ALL' -c 'luafile '"$here/test.lua"

# Without the plugin; 0.10 keeps no configurations of servers.
if "$nvim" --headless -u NONE -c 'exe has("nvim-0.11") ? "qall" : "cquit"'; then
    rm -r "$XDG_DATA_HOME/nvim/site" "$XDG_CONFIG_HOME/nvim"
    mkdir -p "$XDG_CONFIG_HOME/nvim/lsp" "$work/path"
    cp "$here/../lsp/redraft.lua" "$XDG_CONFIG_HOME/nvim/lsp/"
    ln -s "$REDRAFT_BIN" "$work/path/redraft"
    echo "vim.lsp.enable('redraft')" >"$XDG_CONFIG_HOME/nvim/init.lua"
    PATH=$work/path:$PATH "$nvim" --headless -c 'luafile '"$here/alone.lua"
fi
