-- Redraft for `vim.lsp.enable('redraft')`. Without `filetypes` it serves every file, Markdown included.
return {
  cmd = { 'redraft', 'lsp' },
  root_markers = { '.git' },
}
