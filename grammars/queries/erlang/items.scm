; Items of a Erlang file: the capture's suffix is the item's kind, @name and @body are its parts.

(fun_decl clause: (function_clause name: (_) @name body: (_) @body)) @item.function
(record_decl name: (_) @name) @item.struct
(record_field name: (_) @name) @item.field
(type_alias name: (type_name name: (_) @name)) @item.type
(pp_define lhs: (_) @name) @item.macro
(pp_include file: (_) @name) @item.import
(import_attribute module: (_) @name) @item.import
(module_attribute name: (_) @name) @item.module

; What stands right above an item and belongs to it.
(comment) @leading
(spec) @leading
