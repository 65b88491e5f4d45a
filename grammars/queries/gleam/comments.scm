(comment) @comment
(statement_comment) @comment
(module_comment) @comment
