-- Redraft in Neovim: how suggestions reach the server. What they mean, and where they go, the server finds out.
local M = {}

local is_011 = vim.fn.has('nvim-0.11') == 1

---The client that serves a buffer.
---@param bufnr integer?
function M.client(bufnr)
  return vim.lsp.get_clients({ name = 'redraft', bufnr = bufnr or vim.api.nvim_get_current_buf() })[1]
end

---Sends a request; 0.10 has no methods on clients yet.
function M.request(client, method, params, handler, bufnr)
  if is_011 then return client:request(method, params, handler, bufnr) end
  return client.request(method, params, handler, bufnr)
end

function M.notify(client, method, params)
  if is_011 then return client:notify(method, params) end
  return client.notify(method, params)
end

local function say(message) vim.notify('Redraft: ' .. message, vim.log.levels.WARN) end

---Calls a command of the server. What goes wrong, the server has shown by then.
---@param command string
---@param argument table?
---@param done fun(result: any)?
function M.execute(command, argument, done)
  local bufnr = vim.api.nvim_get_current_buf()
  local client = M.client(bufnr) or vim.lsp.get_clients({ name = 'redraft' })[1]
  if not client then return say('the server does not run here; see :checkhealth redraft') end
  local params = { command = 'redraft.' .. command, arguments = { argument or vim.empty_dict() } }
  M.request(client, 'workspace/executeCommand', params, function(error, result)
    if done and not error then done(result) end
  end, bufnr)
end

---Applies what stands in a register: a whole chat reply, a diff, or bare code for this file.
---@param register string
function M.apply_register(register)
  local text = vim.fn.getreg(register)
  if vim.trim(text) == '' then return say(('register %s is empty'):format(register)) end
  M.execute('applyReply', { text = text, uri = vim.uri_from_bufnr(0) })
end

---Applies the lines from first to last (1-based), which are the pasted snippet, or the Markdown block there.
---@param first integer
---@param last integer
function M.apply_lines(first, last)
  local end_line = vim.fn.getline(last)
  local client = M.client()
  local encoding = client and client.offset_encoding or 'utf-16'
  local width = encoding == 'utf-8' and #end_line
    or vim.str_utfindex and select(encoding == 'utf-16' and 2 or 1, vim.str_utfindex(end_line))
  M.execute('applyAt', {
    uri = vim.uri_from_bufnr(0),
    range = {
      start = { line = first - 1, character = 0 },
      ['end'] = { line = last - 1, character = width },
    },
  })
end

---`:RedraftApply`: lines, a register, the block under the cursor in Markdown, or else the clipboard.
---@param args table as `nvim_create_user_command` gives it
function M.apply(args)
  if args.range > 0 then return M.apply_lines(args.line1, args.line2) end
  if args.args ~= '' then return M.apply_register(args.args) end
  local line = vim.fn.line('.')
  if vim.bo.filetype == 'markdown' then return M.apply_lines(line, line) end
  M.apply_register(vim.fn.has('clipboard') == 1 and '+' or '"')
end

---Keeps or undoes the change under the cursor, or all changes of this file.
---@param decision 'keep'|'undo'
---@param all boolean
function M.decide(decision, all)
  local argument = { uri = vim.uri_from_bufnr(0) }
  if not all then argument.position = { line = vim.fn.line('.') - 1, character = 0 } end
  M.execute(decision .. (all and 'All' or 'Hunk'), argument)
end

---Accepts the ghost text, if there is some; false when there is none.
function M.accept()
  if vim.lsp.inline_completion then return vim.lsp.inline_completion.get() end
  return require('redraft.ghost').accept()
end

---What Redraft adds to the client of its name.
function M.client_config()
  local view = require('redraft.view')
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  capabilities.experimental = { redraft = { applying = true, review = true } }
  -- Before 0.12 the ghost text is ours.
  local document = capabilities.textDocument
  document.inlineCompletion = document.inlineCompletion or { dynamicRegistration = false }
  return {
    capabilities = capabilities,
    handlers = {
      ['redraft/applying'] = function(_, news) view.applying(news) end,
      ['redraft/review'] = function(_, news, context) view.review(news, context.client_id) end,
    },
  }
end

---What `setup` starts it with where Neovim keeps no configurations of servers (0.10).
---@type table?
M.started_with = nil

---Starts Redraft in every file. `config` is as for `vim.lsp.config`.
---@param config table?
function M.setup(config)
  config = config or {}
  if vim.lsp.config then
    vim.lsp.config('redraft', config)
    vim.lsp.enable('redraft')
  else
    local defaults = { name = 'redraft', cmd = { 'redraft', 'lsp' } }
    config = vim.tbl_deep_extend('force', defaults, M.client_config(), config)
    M.started_with = config
    vim.api.nvim_create_autocmd('FileType', {
      group = vim.api.nvim_create_augroup('redraft.start', {}),
      callback = function(event)
        if vim.bo[event.buf].buftype == '' then
          config.root_dir = config.root_dir or vim.fs.root(event.buf, '.git')
          vim.lsp.start(config, { bufnr = event.buf })
        end
      end,
    })
  end
end

return M
