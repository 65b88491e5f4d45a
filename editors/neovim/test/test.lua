-- Every claim of the README, in the Neovim that runs this. Ends with exit code 0, or says what failed and ends with 1.
local function say(...) io.stdout:write(table.concat({ ... }, ' ') .. '\n') end

local function sample(name)
  local folder = vim.env.REDRAFT_SAMPLE
  return table.concat(vim.fn.readfile(folder .. '/' .. name), '\n') .. '\n'
end
local ORIGINAL, SNIPPET, EXPECTED = sample('counter.rs'), sample('snippet.rs'), sample('edited.rs')

local notices, progress = {}, {}
vim.notify = function(message) table.insert(notices, message) end
vim.api.nvim_create_autocmd('LspProgress', {
  callback = function(event) table.insert(progress, event.data.params.value) end,
})
-- A person who is asked looks at the edit and takes it.
vim.lsp.handlers['window/showMessageRequest'] = function(_, params)
  table.insert(notices, params.message)
  return params.actions[1]
end

-- A clipboard, which a machine without a screen does not have by itself.
local clipboard = { {}, 'v' }
vim.g.clipboard = {
  name = 'test',
  copy = { ['+'] = function(lines, kind) clipboard = { lines, kind } end, ['*'] = function() end },
  paste = { ['+'] = function() return clipboard end, ['*'] = function() return { {}, 'v' } end },
}

local function buffer() return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n') .. '\n' end

local function wait_for(what, condition, seconds)
  if vim.wait((seconds or 60) * 1000, condition, 20) then return end
  error(('waited in vain for %s\nbuffer:\n%snotices: %s'):format(what, buffer(), vim.inspect(notices)), 2)
end

local count = 0
local function open(text, extension)
  count = count + 1
  local path = ('%s/file%d.%s'):format(vim.fn.getcwd(), count, extension or 'rs')
  vim.fn.writefile(vim.split(text:gsub('\n$', ''), '\n'), path)
  vim.cmd.edit(path)
  wait_for('client', function()
    local client = require('redraft').client()
    return client and client.initialized
  end)
  return vim.api.nvim_get_current_buf()
end

local function expect(expected)
  wait_for('the right text', function() return buffer() == expected end)
end

local function undone(expected)
  vim.cmd('silent undo')
  assert(buffer() == expected, 'one undo does not bring the file back:\n' .. buffer())
end

local function marks(name)
  return vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace('redraft.' .. name), 0, -1, { details = true })
end

local function settings(changed)
  for _, client in ipairs(vim.lsp.get_clients({ name = 'redraft' })) do
    require('redraft').notify(client, 'workspace/didChangeConfiguration', { settings = { redraft = changed } })
  end
end

local tests = {
  { 'a register with a chat reply', function()
    open(ORIGINAL)
    vim.fn.setreg('a', 'Take the amount:\n\n```rust\n' .. SNIPPET .. '```\n')
    vim.cmd('RedraftApply a')
    expect(EXPECTED)
    undone(ORIGINAL)
  end },
  { 'the clipboard', function()
    open(ORIGINAL)
    vim.fn.setreg('+', SNIPPET)
    vim.fn.setreg('"', 'not this')
    vim.cmd('RedraftApply')
    expect(EXPECTED)
  end },
  { 'selected lines are taken out and applied', function()
    open(ORIGINAL .. '\n' .. SNIPPET)
    local first = vim.fn.line('$') - 3
    vim.api.nvim_feedkeys(first .. 'GVG:RedraftApply\r', 'nx', false)
    expect(EXPECTED)
    undone(ORIGINAL .. '\n' .. SNIPPET)
  end },
  { 'the code action on selected lines', function()
    open(ORIGINAL .. '\n' .. SNIPPET)
    vim.keymap.set('x', 'ga', function()
      vim.lsp.buf.code_action({ apply = true, filter = function(action) return action.title == 'Apply suggestion' end })
    end)
    vim.api.nvim_feedkeys((vim.fn.line('$') - 3) .. 'GVGga', 'mx', false)
    expect(EXPECTED)
    undone(ORIGINAL .. '\n' .. SNIPPET)
  end },
  { 'the Markdown block under the cursor', function()
    local target = open(ORIGINAL)
    local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(target), ':t')
    open('In `' .. name .. '`:\n\n```rust\n' .. SNIPPET .. '```\n', 'md')
    vim.api.nvim_win_set_cursor(0, { 5, 0 })
    vim.cmd('RedraftApply')
    vim.cmd('hide buffer ' .. target)
    expect(EXPECTED)
  end },
  { 'changes are marked, kept and undone', function()
    local lines = {}
    for n = 0, 39 do
      lines[#lines + 1] = ('let value%d = %d;'):format(n, n)
    end
    local numbers = table.concat(lines, '\n') .. '\n'
    local changed = numbers:gsub('value5 = 5;', 'value5 = 55;'):gsub('value30 = 30;', 'value30 = 33;')
    open(numbers)
    vim.fn.setreg('a', '<<<<<<< SEARCH\nlet value5 = 5;\n=======\nlet value5 = 55;\n>>>>>>> REPLACE\n'
      .. '<<<<<<< SEARCH\nlet value30 = 30;\n=======\nlet value30 = 33;\n>>>>>>> REPLACE\n')
    vim.cmd('RedraftApply a')
    expect(changed)
    wait_for('marks', function() return #marks('review') == 4 end)
    vim.api.nvim_win_set_cursor(0, { 31, 0 })
    vim.cmd('RedraftUndo')
    expect((numbers:gsub('value5 = 5;', 'value5 = 55;')))
    wait_for('marks of one change', function() return #marks('review') == 2 end)
    assert(marks('review')[1][2] == 5, vim.inspect(marks('review')))
    vim.cmd('RedraftUndo!')
    expect(numbers)
    vim.cmd('RedraftApply a')
    expect(changed)
    wait_for('marks', function() return #marks('review') == 4 end)
    vim.cmd('RedraftKeep!')
    wait_for('no marks', function() return #marks('review') == 0 end)
    expect(changed)
  end },
  { 'the model writes, with its progress and the change shown before it lands', function()
    settings({ apply = { route = 'model' } })
    open(ORIGINAL)
    local seen, verified = 0, {}
    local view = require('redraft.view')
    local applying = view.applying
    view.applying = function(news)
      applying(news)
      local all = marks('applying')
      local numbered = vim.tbl_filter(function(mark) return mark[4].number_hl_group ~= nil end, all)
      if news.phase ~= 'done' and #numbered ~= verified[#verified] then table.insert(verified, #numbered) end
      seen = math.max(seen, #all - #numbered)
    end
    vim.fn.setreg('a', SNIPPET)
    vim.cmd('RedraftApply a')
    expect(EXPECTED)
    view.applying = applying
    assert(seen > 0, 'the change was not shown while the model wrote')
    local sorted = vim.deepcopy(verified)
    table.sort(sorted)
    assert(#verified > 1 and vim.deep_equal(verified, sorted), 'what is verified grows: ' .. vim.inspect(verified))
    wait_for('the end of progress', function() return #progress > 0 and progress[#progress].kind == 'end' end)
    local speeds = vim.tbl_filter(function(value) return (value.message or ''):find('tokens/s') end, progress)
    assert(#speeds > 0, 'no speed in ' .. vim.inspect(progress))
  end },
  { 'an apply is cancelled', function()
    local long = {}
    for n = 0, 59 do
      long[#long + 1] = ('pub fn helper_%d(x: u32) -> u32 {\n    x * %d\n}\n'):format(n, n)
    end
    long = table.concat(long, '\n')
    open(long)
    vim.fn.setreg('a', 'pub fn helper_30(x: u32) -> u32 {\n    x * 30 + 1\n}\n')
    vim.cmd('RedraftApply a')
    local view = require('redraft.view')
    wait_for('the apply', function() return next(view.running) ~= nil end)
    vim.cmd('RedraftCancel')
    wait_for('the end', function() return next(view.running) == nil end)
    assert(buffer() == long)
    settings({ apply = { route = 'auto' } })
  end },
  { 'ghost text is accepted', function()
    open('pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn subtract(a: u32, b: u32) -> u32 {\n    a\n}\n')
    vim.api.nvim_win_set_cursor(0, { 6, 4 })
    -- Keys cannot be waited for in a script: a timer presses them while the editor is in insert mode.
    local timer, tries, accepted = assert(vim.uv.new_timer()), 0, false
    local grey = {}
    timer:start(1000, 250, vim.schedule_wrap(function()
      tries = tries + 1
      for _, space in ipairs({ 'redraft.ghost', 'nvim.lsp.inline_completion' }) do
        for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace(space), 0, -1, { details = true })) do
          if mark[4].virt_text then grey[#grey + 1] = mark[4].virt_text[1][1] end
        end
      end
      accepted = accepted or buffer():find('    a %- b\n') ~= nil
      if accepted or tries > 160 then
        timer:stop()
        vim.api.nvim_input('<Esc>')
      elseif tries == 40 then
        vim.api.nvim_input(' -')
      else
        require('redraft').accept()
      end
    end))
    vim.api.nvim_feedkeys('A', 'xt!', false)
    timer:stop()
    assert(accepted, buffer())
    assert(#grey > 0 and ('a - b'):find(vim.trim(grey[1]), 1, true), 'what was shown: ' .. vim.inspect(grey))
  end },
  { 'the status and the speed are told', function()
    notices = {}
    vim.lsp.handlers['window/showMessage'] = function(_, params) table.insert(notices, params.message) end
    vim.cmd('RedraftStatus')
    wait_for('the status', function() return (notices[1] or ''):find('qwen2.5%-coder%-0.5b') end)
    vim.cmd('RedraftBenchmark')
    wait_for('the speed', function() return (notices[2] or ''):find('tokens/s') end, 120)
    say('    ' .. notices[2])
  end },
  { 'an error leads to another model, and to the log', function()
    settings({ model = { name = 'nothing.gguf' } })
    notices = {}
    vim.cmd('RedraftFetchModel')
    -- The person takes the first button: "Choose another model", and then the first of the list.
    wait_for('the other model', function() return (notices[#notices] or ''):find('qwen2.5%-coder%-0.5b until') end, 120)
    assert(notices[1]:find('nothing.gguf does not exist'), vim.inspect(notices))
    vim.cmd('RedraftLog')
    wait_for('the log', function() return vim.api.nvim_buf_get_name(0):find('lsp%.log$') end)
    assert(buffer():find('nothing.gguf does not exist'), buffer())
  end },
  { 'checkhealth says what is there, and what is missing', function()
    local function health()
      vim.cmd('checkhealth redraft')
      return buffer()
    end
    local report = health()
    assert(report:find('running, for') and report:find('model qwen2.5%-coder%-0.5b') and not report:find('ERROR'), report)
    vim.env.REDRAFT_CACHE = vim.fn.tempname()
    report = health()
    assert(report:find('no model is on this machine') and report:find(':RedraftFetchModel'), report)
    vim.env.REDRAFT_CACHE = nil
    local started_with = require('redraft').started_with
    if vim.lsp.config then
      vim.lsp.config('redraft', { cmd = { 'redraft-that-is-not-there', 'lsp' } })
    else
      started_with.cmd = { 'redraft-that-is-not-there', 'lsp' }
    end
    report = health()
    assert(report:find('ERROR') and report:find('redraft%-that%-is%-not%-there is not a program on PATH'), report)
  end },
  { 'the help file has every command', function()
    for name in pairs(vim.api.nvim_get_commands({})) do
      if vim.startswith(name, 'Redraft') then
        vim.cmd('help :' .. name)
        assert(vim.api.nvim_buf_get_name(0):find('redraft.txt'), name)
        assert(vim.fn.getline('.'):find('*:' .. name .. '*', 1, true), name)
      end
    end
  end },
}

local function run()
  local failed = 0
  for _, test in ipairs(tests) do
    local started = vim.uv.now()
    local ok, why = xpcall(test[2], debug.traceback)
    vim.uv.update_time()
    if ok then
      say(('ok   %s (%.1f s)'):format(test[1], (vim.uv.now() - started) / 1000))
    else
      failed = failed + 1
      say('FAIL ' .. test[1] .. ': ' .. tostring(why))
    end
  end
  vim.cmd(failed == 0 and 'qall!' or 'cquit 1')
end

vim.schedule(run)
