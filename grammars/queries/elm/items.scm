; Items of a Elm file: the capture's suffix is the item's kind, @name and @body are its parts.

(import_clause moduleName: (_) @name) @item.import
(value_declaration functionDeclarationLeft: (function_declaration_left . (_) @name) body: (_) @body) @item.function
(type_declaration name: (_) @name) @item.enum
(union_variant name: (_) @name) @item.variant
(type_alias_declaration name: (_) @name typeExpression: (_) @body) @item.type

; What stands right above an item and belongs to it.
(line_comment) @leading
(block_comment) @leading
(type_annotation) @leading
