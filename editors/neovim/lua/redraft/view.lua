-- What the server tells about an apply, as marks in the buffer. The positions come from the server.
local M = {}

local applying = vim.api.nvim_create_namespace('redraft.applying')
local review = vim.api.nvim_create_namespace('redraft.review')

---The applies that run: the client's token for each.
M.running = {}

local function links()
  for name, link in pairs({
    RedraftAdded = 'DiffAdd',
    RedraftRemoved = 'DiffDelete',
    RedraftVerified = 'Added',
  }) do
    vim.api.nvim_set_hl(0, name, { link = link, default = true })
  end
end
links()

local function buffer_of(uri)
  local bufnr = vim.uri_to_bufnr(uri)
  return vim.api.nvim_buf_is_loaded(bufnr) and bufnr or nil
end

---The byte of a position of the protocol in a line of the buffer.
local function byte(bufnr, position, encoding)
  local line = vim.api.nvim_buf_get_lines(bufnr, position.line, position.line + 1, false)[1] or ''
  if encoding == 'utf-8' then return math.min(position.character, #line) end
  local ok, index = pcall(vim.str_byteindex, line, position.character, encoding == 'utf-16')
  return ok and index or #line
end

---A mark; one that lies outside of what the buffer is by now is not worth an error.
local function mark(bufnr, namespace, line, column, options)
  options.strict = false
  pcall(vim.api.nvim_buf_set_extmark, bufnr, namespace, line, column, options)
end

local function virtual_lines(text, group)
  local lines = vim.split(text, '\n')
  if lines[#lines] == '' then table.remove(lines) end
  return vim.tbl_map(function(line) return { { line == '' and ' ' or line, group } } end, lines)
end

---`redraft/applying`: what the model has verified so far.
function M.applying(news)
  M.running[news.token] = news.phase ~= 'done' and news or nil
  local bufnr = buffer_of(news.uri)
  if not bufnr then return end
  vim.api.nvim_buf_clear_namespace(bufnr, applying, 0, -1)
  local client = require('redraft').client(bufnr)
  if news.phase == 'done' or not client then return end
  local encoding = client.offset_encoding
  if type(news.verified) == 'table' then
    for line = news.verified.start.line, news.verified['end'].line - 1 do
      mark(bufnr, applying, line, 0, { number_hl_group = 'RedraftVerified' })
    end
  end
  for _, hunk in ipairs(news.hunks) do
    local from, to = hunk.range.start, hunk.range['end']
    local from_byte, to_byte = byte(bufnr, from, encoding), byte(bufnr, to, encoding)
    mark(bufnr, applying, from.line, from_byte, { end_row = to.line, end_col = to_byte, hl_group = 'RedraftRemoved' })
    if hunk.newText:find('\n') then
      local above = from_byte == 0
      mark(bufnr, applying, to.line, 0, { virt_lines = virtual_lines(hunk.newText, 'RedraftAdded'), virt_lines_above = above })
    elseif hunk.newText ~= '' then
      mark(bufnr, applying, to.line, to_byte, { virt_text = { { hunk.newText, 'RedraftAdded' } }, virt_text_pos = 'inline' })
    end
  end
end

---`redraft/review`: the changes to keep or undo.
function M.review(news)
  local bufnr = buffer_of(news.uri)
  if not bufnr then return end
  vim.api.nvim_buf_clear_namespace(bufnr, review, 0, -1)
  for _, hunk in ipairs(news.hunks) do
    local from, to = hunk.range.start.line, hunk.range['end']
    local last = to.character == 0 and to.line - 1 or to.line
    for line = from, last do
      mark(bufnr, review, line, 0, { line_hl_group = 'RedraftAdded' })
    end
    if hunk.removed ~= '' then
      mark(bufnr, review, from, 0, { virt_lines = virtual_lines(hunk.removed, 'RedraftRemoved'), virt_lines_above = true })
    end
  end
end

---Cancels every apply that runs; false when there is none.
function M.cancel()
  local tokens = vim.tbl_keys(M.running)
  for _, token in ipairs(tokens) do
    for _, client in ipairs(vim.lsp.get_clients({ name = 'redraft' })) do
      require('redraft').notify(client, 'window/workDoneProgress/cancel', { token = token })
    end
  end
  return #tokens > 0
end

return M
