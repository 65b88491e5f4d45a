-- Ghost text where Neovim has none of its own (before 0.12): asked for when typing pauses, shown as virtual text.
local M = {}

local namespace = vim.api.nvim_create_namespace('redraft.ghost')
local PAUSE = 150

local shown, asked, timer

local function redraft() return require('redraft') end

local function clear()
  if shown then pcall(vim.api.nvim_buf_clear_namespace, shown.bufnr, namespace, 0, -1) end
  shown = nil
end

local function cancel()
  if timer then timer:stop() end
  if asked then
    redraft().notify(asked.client, '$/cancelRequest', { id = asked.id })
    asked = nil
  end
end

local function text_of(item) return type(item.insertText) == 'table' and item.insertText.value or item.insertText end

---The byte of a position's column in the line that the cursor is in.
local function byte(bufnr, position, encoding)
  local line = vim.api.nvim_buf_get_lines(bufnr, position.line, position.line + 1, false)[1] or ''
  if encoding == 'utf-8' then return position.character end
  return vim.str_byteindex(line, position.character, encoding == 'utf-16')
end

---The part of an item's text that is not in the buffer yet.
local function rest(item, bufnr, position, encoding)
  local text = text_of(item)
  if not item.range or item.range.start.line ~= position.line then return text end
  local line = vim.api.nvim_buf_get_lines(bufnr, position.line, position.line + 1, false)[1] or ''
  local typed = line:sub(byte(bufnr, item.range.start, encoding) + 1, byte(bufnr, position, encoding))
  return vim.startswith(text, typed) and text:sub(#typed + 1) or nil
end

local function show(client, bufnr, params, item)
  local text = rest(item, bufnr, params.position, client.offset_encoding)
  if not text or text == '' then return end
  local cursor = vim.api.nvim_win_get_cursor(0)
  local lines = vim.split(text, '\n')
  local below = {}
  for at = 2, #lines do
    below[#below + 1] = { { lines[at], 'Comment' } }
  end
  vim.api.nvim_buf_set_extmark(bufnr, namespace, cursor[1] - 1, cursor[2], {
    virt_text = { { lines[1], 'Comment' } },
    virt_text_pos = 'inline',
    virt_lines = #below > 0 and below or nil,
  })
  shown = { bufnr = bufnr, item = item, params = params, client = client, cursor = cursor }
end

local function ask()
  local bufnr = vim.api.nvim_get_current_buf()
  local client = redraft().client(bufnr)
  if not client or not client.server_capabilities.inlineCompletionProvider then return end
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = 2 }
  local tick = vim.api.nvim_buf_get_changedtick(bufnr)
  local cursor = vim.api.nvim_win_get_cursor(0)
  local request = { client = client }
  local _, id = redraft().request(client, 'textDocument/inlineCompletion', params, function(error, result)
    if asked == request then asked = nil end
    local stale = vim.api.nvim_get_current_buf() ~= bufnr
      or vim.api.nvim_buf_get_changedtick(bufnr) ~= tick
      or not vim.deep_equal(vim.api.nvim_win_get_cursor(0), cursor)
      or vim.api.nvim_get_mode().mode:sub(1, 1) ~= 'i'
    if error or not result or stale then return end
    local item = (result.items or result)[1]
    if item then show(client, bufnr, params, item) end
  end, bufnr)
  request.id = id
  asked = request
end

---Accepts the ghost text; false when there is none.
function M.accept()
  if not shown then return false end
  local now = shown
  -- An expression mapping may not change the buffer itself.
  vim.schedule(function()
    clear()
    local position, encoding = now.params.position, now.client.offset_encoding
    local range = now.item.range or { start = position, ['end'] = position }
    local lines = vim.split(text_of(now.item), '\n')
    local column = #lines[#lines] + (#lines == 1 and byte(now.bufnr, range.start, encoding) or 0)
    vim.lsp.util.apply_text_edits({ { range = range, newText = text_of(now.item) } }, now.bufnr, encoding)
    vim.api.nvim_win_set_cursor(0, { range.start.line + #lines, column })
    if now.item.command then
      redraft().request(now.client, 'workspace/executeCommand', {
        command = now.item.command.command,
        arguments = now.item.command.arguments,
      }, function() end, now.bufnr)
    end
  end)
  return true
end

function M.enable()
  timer = timer or assert(vim.uv.new_timer())
  local group = vim.api.nvim_create_augroup('redraft.ghost', {})
  vim.api.nvim_create_autocmd({ 'TextChangedI', 'CursorMovedI', 'InsertEnter' }, {
    group = group,
    callback = function()
      if shown and vim.deep_equal(vim.api.nvim_win_get_cursor(0), shown.cursor) then return end
      clear()
      cancel()
      timer:start(PAUSE, 0, vim.schedule_wrap(function()
        if vim.api.nvim_get_mode().mode:sub(1, 1) == 'i' then ask() end
      end))
    end,
  })
  vim.api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave' }, {
    group = group,
    callback = function()
      clear()
      cancel()
    end,
  })
end

return M
