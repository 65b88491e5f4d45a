; Items of a Gleam file: the capture's suffix is the item's kind, @name and @body are its parts.

(import module: (_) @name) @item.import
(function name: (_) @name body: (_)? @body) @item.function
(constant name: (_) @name value: (_) @body) @item.constant
(type_definition (type_name name: (_) @name) (data_constructors)? @body) @item.enum
(data_constructor name: (_) @name) @item.variant
(type_alias (type_name name: (_) @name)) @item.type

; What stands right above an item and belongs to it.
(comment) @leading
(statement_comment) @leading
