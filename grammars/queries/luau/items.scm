; Items of a Luau file: the capture's suffix is the item's kind, @name and @body are its parts.

(function_declaration name: (identifier) @name body: (_)? @body) @item.function
(function_declaration name: (dot_index_expression table: (_) @owner field: (_) @name) body: (_)? @body) @item.function
(function_declaration name: (method_index_expression table: (_) @owner method: (_) @name) body: (_)? @body) @item.function
(type_definition . (identifier) @name) @item.type
(chunk (variable_declaration (assignment_statement (variable_list name: (_) @name) (expression_list value: (_) @body))) @item.constant)

; What stands right above an item and belongs to it.
(comment) @leading
