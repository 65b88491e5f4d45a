; Items of a C file: the capture's suffix is the item's kind, @name and @body are its parts.

(preproc_include path: (_) @name) @item.import
(preproc_def name: (_) @name value: (_)? @body) @item.macro
(preproc_function_def name: (_) @name value: (_)? @body) @item.macro
(function_definition declarator: (function_declarator declarator: (identifier) @name) body: (_) @body) @item.function
(function_definition
  declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
  body: (_) @body) @item.function
(declaration declarator: (function_declarator declarator: (identifier) @name)) @item.function
(declaration declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))) @item.function
(struct_specifier name: (_) @name body: (_) @body) @item.struct
(union_specifier name: (_) @name body: (_) @body) @item.struct
(enum_specifier name: (_) @name body: (_) @body) @item.enum
(enumerator name: (_) @name value: (_)? @body) @item.variant
(field_declaration declarator: (field_identifier) @name) @item.field
(field_declaration declarator: (pointer_declarator declarator: (field_identifier) @name)) @item.field
(field_declaration declarator: (array_declarator declarator: (field_identifier) @name)) @item.field
(type_definition declarator: (type_identifier) @name) @item.type
(translation_unit (declaration declarator: (init_declarator declarator: (identifier) @name value: (_) @body)) @item.constant)

; What stands right above an item and belongs to it.
(comment) @leading
