; Items of a Python file: the capture's suffix is the item's kind, @name and @body are its parts.
; A decorated definition and the definition inside share their name; the outer one counts.

(function_definition name: (_) @name body: (_) @body) @item.function
(class_definition name: (_) @name body: (_) @body) @item.class
(decorated_definition definition: (function_definition name: (_) @name body: (_) @body)) @item.function
(decorated_definition definition: (class_definition name: (_) @name body: (_) @body)) @item.class
(import_statement name: (_) @name) @item.import
(import_from_statement module_name: (_) @name) @item.import
(future_import_statement name: (_) @name) @item.import
(type_alias_statement left: (_) @name right: (_) @body) @item.type
(module (expression_statement (assignment left: (_) @name right: (_)? @body)) @item.constant)
(class_definition body: (block (expression_statement (assignment left: (_) @name right: (_)? @body)) @item.field))

; What stands right above an item and belongs to it.
(comment) @leading
