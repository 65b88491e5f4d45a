---@brief
---
--- Redraft lands an assistant's edit suggestions in a file and completes code, with a small model on this machine.
--- It serves every kind of file, Markdown included, so there is no list of file types.
---
--- Settings go into `init_options`, under `redraft`; the project's README lists them.

---@type vim.lsp.Config
return {
  cmd = { 'redraft', 'lsp' },
  root_markers = { '.git' },
}
