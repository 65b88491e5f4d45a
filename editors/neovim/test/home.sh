# make_home DIR: a home for Neovim in DIR with Redraft as a package, no plugin manager, and an init.lua of the README's.
make_home() {
    local plugin
    plugin=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    export XDG_CONFIG_HOME=$1/config XDG_DATA_HOME=$1/data XDG_STATE_HOME=$1/state
    # The models are found where they are.
    export REDRAFT_CACHE=${REDRAFT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/redraft} XDG_CACHE_HOME=$1/cache
    local package=$XDG_DATA_HOME/nvim/site/pack/redraft/start/redraft
    mkdir -p "$XDG_CONFIG_HOME/nvim" "$package" "$1/workspace/.git" "$XDG_STATE_HOME" "$XDG_CACHE_HOME"
    cp -r "$plugin"/{lsp,lua,plugin,doc} "$package"
    cat >"$XDG_CONFIG_HOME/nvim/init.lua" <<'LUA'
local config = {
  cmd = { vim.env.REDRAFT_BIN, 'lsp' },
  init_options = { redraft = { model = { fetch = 'never' } } },
}
if vim.lsp.config then
  vim.lsp.config('redraft', config)
  vim.lsp.enable('redraft')
else
  require('redraft').setup(config)
end
vim.keymap.set('i', '<Tab>', function()
  if not require('redraft').accept() then return '<Tab>' end
end, { expr = true })
LUA
}
