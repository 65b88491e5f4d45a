; Items of a Lua file: the capture's suffix is the item's kind, @name and @body are its parts.

(function_declaration name: (identifier) @name body: (_)? @body) @item.function
(function_declaration name: (dot_index_expression table: (_) @owner field: (_) @name) body: (_)? @body) @item.function
(function_declaration name: (method_index_expression table: (_) @owner method: (_) @name) body: (_)? @body) @item.function
(chunk (variable_declaration (assignment_statement (variable_list name: (_) @name) (expression_list value: (_) @body))) @item.constant)
(chunk (assignment_statement (variable_list name: (_) @name) (expression_list value: (_) @body)) @item.constant)

; What stands right above an item and belongs to it.
(comment) @leading
