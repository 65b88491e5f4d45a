-- Headless Neovim: selects the pasted snippet, chooses "Apply suggestion", checks the buffer, undoes in one step.
-- Ends with exit code 0, or prints what went wrong and ends with 1. The paths come from the environment.
local env = vim.env
local function say(...) io.stdout:write(table.concat({ ... }, ' ') .. '\n') end
local function die(why)
  say('FAIL', why)
  say('buffer:\n' .. table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n'))
  vim.cmd('cquit 1')
end
local function wait_for(what, condition)
  if not vim.wait(tonumber(env.WAIT_SECONDS) * 1000, condition, 20) then die('no ' .. what) end
end
local function buffer() return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n') .. '\n' end
local function read(path) return table.concat(vim.fn.readfile(path), '\n') .. '\n' end

local progress, notices = {}, {}
vim.notify = function(message) table.insert(notices, message) end
vim.api.nvim_create_autocmd('LspProgress', {
  callback = function(event) table.insert(progress, event.data.params.value.kind) end,
})
-- A person who is asked looks at the edit and takes it.
vim.lsp.handlers['window/showMessageRequest'] = function(_, params)
  table.insert(notices, params.message)
  return params.actions[1]
end
vim.lsp.config('redraft', {
  cmd = { env.REDRAFT_BIN, 'lsp' },
  init_options = vim.json.decode(env.REDRAFT_OPTIONS),
})
vim.lsp.enable('redraft')

local function run()
  wait_for('client', function()
    local client = vim.lsp.get_clients({ bufnr = 0, name = 'redraft' })[1]
    return client and client.initialized
  end)
  local pasted, expected = buffer(), read(env.EXPECTED)
  vim.keymap.set('x', 'ga', function()
    vim.lsp.buf.code_action({
      apply = true,
      filter = function(action) return action.title == 'Apply suggestion' end,
    })
  end)
  vim.api.nvim_feedkeys(env.SNIPPET_LINE .. 'GVGga', 'mx', false)
  wait_for('right text', function()
    for _, notice in ipairs(notices) do
      if notice:find('LSP[redraft]', 1, true) then die(notice) end
    end
    return buffer() == expected
  end)
  wait_for('end of progress', function() return env.WANTS_PROGRESS == '0' or vim.tbl_contains(progress, 'end') end)
  vim.cmd('undo')
  if buffer() ~= pasted then die('one undo does not bring the file back') end
  vim.cmd('redo')
  if buffer() ~= expected then die('redo does not bring the edit back') end
  say('ok; progress', table.concat(progress, ','), 'notices', vim.inspect(notices))
  vim.cmd('qall!')
end

vim.api.nvim_create_autocmd('VimEnter', {
  once = true,
  callback = vim.schedule_wrap(function()
    local ok, why = xpcall(run, debug.traceback)
    if not ok then die(why) end
  end),
})
