; Items of a Zig file: the capture's suffix is the item's kind, @name and @body are its parts.

(function_declaration name: (_) @name body: (_)? @body) @item.function
(source_file (variable_declaration . (identifier) @name) @item.constant)
(variable_declaration . (identifier) @name (struct_declaration) @body) @item.struct
(variable_declaration . (identifier) @name (union_declaration) @body) @item.struct
(variable_declaration . (identifier) @name (enum_declaration) @body) @item.enum
(container_field name: (_) @name) @item.field
(test_declaration (string) @name (block) @body) @item.function

; What stands right above an item and belongs to it.
(comment) @leading
