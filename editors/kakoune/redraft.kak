# Redraft as one more language server of kak-lsp. In the kakrc, below the line that loads kak-lsp:
#
#     source /path/to/redraft.kak

hook -group redraft global BufSetOption filetype=(?:rust|python|javascript|typescript|go|c|cpp|java|ruby|markdown) %{
    evaluate-commands %sh{
        # Kakoune sets a file's type twice, and a server must not be named twice.
        case $kak_opt_lsp_servers in *'[redraft]'*) exit ;; esac
        printf %s 'set-option -add buffer lsp_servers %{
            [redraft]
            root_globs = [".git"]
            command = "redraft"
            args = ["lsp"]
            # Settings, all optional; the README of the project lists them.
            [redraft.settings.redraft.apply]
            route = "auto"
        }'
    }
}
