-- The commands, and what Redraft adds to the client of its name.
if vim.g.loaded_redraft or vim.fn.has('nvim-0.10') == 0 then return end
vim.g.loaded_redraft = true

local command = vim.api.nvim_create_user_command
local function redraft() return require('redraft') end

command('RedraftApply', function(args) redraft().apply(args) end, {
  desc = 'Apply a suggestion: the selected lines, a register, the Markdown block here, or the clipboard',
  range = true,
  nargs = '?',
})
command('RedraftKeep', function(args) redraft().decide('keep', args.bang) end, {
  desc = 'Keep the change here; with ! all changes of this file',
  bang = true,
})
command('RedraftUndo', function(args) redraft().decide('undo', args.bang) end, {
  desc = 'Undo the change here; with ! all changes of this file',
  bang = true,
})
command('RedraftCancel', function() require('redraft.view').cancel() end, { desc = 'Cancel the running apply' })
command('RedraftFetchModel', function() redraft().execute('fetchModel') end, { desc = 'Fetch the model' })
command('RedraftChooseModel', function() redraft().execute('chooseModel') end, { desc = 'Choose another model' })
command('RedraftLog', function() redraft().execute('openLog') end, { desc = 'Open the log' })
command('RedraftStatus', function() redraft().execute('showStatus') end, { desc = 'Show what is running' })
command('RedraftBenchmark', function() redraft().execute('benchmark') end, { desc = 'Measure this machine' })

if vim.lsp.config then vim.lsp.config('redraft', redraft().client_config()) end

vim.api.nvim_create_autocmd('LspAttach', {
  group = vim.api.nvim_create_augroup('redraft.attach', {}),
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if not client or client.name ~= 'redraft' or not client.server_capabilities.inlineCompletionProvider then return end
    if vim.lsp.inline_completion then
      vim.lsp.inline_completion.enable(true, { bufnr = event.buf, client_id = client.id })
    else
      require('redraft.ghost').enable()
    end
  end,
})
