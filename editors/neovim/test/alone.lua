-- `lsp/redraft.lua` alone, as nvim-lspconfig would have it: the code action, and in 0.12 ghost text.
local function wait_for(what, condition)
  if vim.wait(60000, condition, 20) then return end
  io.stdout:write(('FAIL waited in vain for %s\n%s\n'):format(what, table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n')))
  vim.cmd('cquit 1')
end

local function sample(name) return vim.fn.readfile(vim.env.REDRAFT_SAMPLE .. '/' .. name) end

vim.schedule(function()
  assert(vim.fn.exists(':RedraftApply') == 0, 'the plugin is not here')
  vim.fn.writefile(vim.list_extend(vim.list_extend(sample('counter.rs'), { '' }), sample('snippet.rs')), 'alone.rs')
  vim.cmd.edit('alone.rs')
  local client
  wait_for('the client', function()
    client = vim.lsp.get_clients({ name = 'redraft', bufnr = 0 })[1]
    return client and client.initialized
  end)
  vim.keymap.set('x', 'ga', function()
    vim.lsp.buf.code_action({ apply = true, filter = function(action) return action.title == 'Apply suggestion' end })
  end)
  vim.api.nvim_feedkeys((vim.fn.line('$') - 3) .. 'GVGga\27', 'mx', false)
  wait_for('the edit', function()
    return vim.deep_equal(vim.api.nvim_buf_get_lines(0, 0, -1, false), sample('edited.rs'))
  end)
  io.stdout:write('ok   lsp/redraft.lua alone: the code action\n')
  if vim.lsp.inline_completion then
    vim.lsp.inline_completion.enable()
    vim.api.nvim_buf_set_lines(0, 0, -1, false, {
      'pub fn add(a: u32, b: u32) -> u32 {', '    a + b', '}', '', 'pub fn subtract(a: u32, b: u32) -> u32 {', '    a -', '}',
    })
    vim.api.nvim_win_set_cursor(0, { 6, 6 })
    local function accepted() return vim.api.nvim_buf_get_lines(0, 5, 6, false)[1] == '    a - b' end
    local timer, tries = assert(vim.uv.new_timer()), 0
    timer:start(1000, 250, vim.schedule_wrap(function()
      tries = tries + 1
      if accepted() or tries > 160 then
        timer:stop()
        vim.api.nvim_input('<Esc>')
      elseif tries % 40 == 0 then
        -- Nothing is offered while the model is being loaded: the next key asks again.
        vim.api.nvim_input('<BS>-')
      else
        vim.lsp.inline_completion.get()
      end
    end))
    vim.api.nvim_feedkeys('A', 'xt!', false)
    wait_for('ghost text', accepted)
    io.stdout:write('ok   lsp/redraft.lua alone: ghost text\n')
  end
  vim.cmd('qall!')
end)
