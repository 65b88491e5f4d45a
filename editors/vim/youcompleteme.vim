" Redraft with YouCompleteMe: in your vimrc, `source /path/to/youcompleteme.vim`. YouCompleteMe asks one server for a kind of
" file: name here those that Redraft is to serve.
let g:ycm_language_server = get(g:, 'ycm_language_server', []) + [{
      \   'name': 'redraft',
      \   'cmdline': ['redraft', 'lsp'],
      \   'filetypes': ['rust', 'python', 'javascript', 'typescript', 'go', 'c', 'cpp', 'java', 'ruby', 'markdown'],
      \   'project_root_files': ['.git'],
      \ }]
