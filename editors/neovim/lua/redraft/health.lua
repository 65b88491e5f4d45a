-- `:checkhealth redraft`
local M = {}

function M.check()
  local health = vim.health
  health.start('Redraft')
  if vim.fn.has('nvim-0.10') == 0 then
    health.error('Neovim is too old: 0.10 or newer is needed')
    return
  end
  health.ok('Neovim ' .. tostring(vim.version()))
  local config = vim.lsp.config and vim.lsp.config.redraft or require('redraft').started_with
  local program = config and type(config.cmd) == 'table' and config.cmd[1] or 'redraft'
  if vim.fn.executable(program) == 0 then
    health.error(program .. ' is not a program on PATH', {
      'Put `redraft` on your PATH,',
      "or name it: vim.lsp.config('redraft', { cmd = { '/path/to/redraft', 'lsp' } })",
    })
    return
  end
  local version = vim.system({ program, '--version' }, { text = true }):wait()
  health.ok(('%s: %s'):format(vim.fn.exepath(program), vim.trim(version.stdout)))
  local doctor = vim.system({ program, 'doctor', '--offline', '--json' }, { text = true }):wait()
  local ok, report = pcall(vim.json.decode, doctor.stdout)
  if not ok then
    health.warn('`redraft doctor` failed: ' .. vim.trim(doctor.stderr))
    return
  end
  health.info(('kernels %s, %d cores'):format(report.machine.kernels, report.machine.cores))
  local present = vim.tbl_filter(function(model) return model.present end, report.models)
  if #present == 0 then
    health.warn('no model is on this machine; suggestions that are certain are applied without one', {
      ':RedraftFetchModel fetches it',
    })
  end
  for _, model in ipairs(present) do
    health.ok('model ' .. model.name)
  end
  local clients = vim.lsp.get_clients({ name = 'redraft' })
  if #clients == 0 then
    health.warn('the server does not run', { "vim.lsp.enable('redraft') starts it", ':LspLog may say why it ended' })
  end
  for _, client in ipairs(clients) do
    health.ok(('running, for %d buffers'):format(vim.tbl_count(client.attached_buffers)))
    local ghost = client.server_capabilities.inlineCompletionProvider ~= nil
    health.info('ghost text: ' .. (not ghost and 'not offered by this server'
      or vim.lsp.inline_completion and "Neovim's own" or "Redraft's own, as this Neovim has none"))
  end
end

return M
