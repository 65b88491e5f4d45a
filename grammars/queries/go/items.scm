; Items of a Go file: the capture's suffix is the item's kind, @name and @body are its parts.

(import_spec path: (_) @name) @item.import
(function_declaration name: (_) @name body: (_)? @body) @item.function
(method_declaration
  receiver: (parameter_list (parameter_declaration type: (_) @owner))
  name: (_) @name
  body: (_)? @body) @item.function
(type_declaration . (type_spec name: (_) @name type: (struct_type (field_declaration_list) @body)) .) @item.struct
(type_declaration . (type_spec name: (_) @name type: (interface_type) @body) .) @item.trait
(type_declaration . (type_spec name: (_) @name) .) @item.type
(type_declaration . (type_alias name: (_) @name) .) @item.type
(field_declaration name: (_) @name) @item.field
(method_elem name: (_) @name) @item.function
(source_file (const_declaration (const_spec name: (identifier) @name value: (_)? @body)) @item.constant)
(source_file (var_declaration (var_spec name: (identifier) @name value: (_)? @body)) @item.constant)

; In a group each is an item of its own.
(type_declaration "(" (type_spec name: (_) @name type: (struct_type (field_declaration_list) @body)) @item.struct)
(type_declaration "(" (type_spec name: (_) @name type: (interface_type) @body) @item.trait)
(type_declaration "(" (type_spec name: (_) @name) @item.type)
(type_declaration "(" (type_alias name: (_) @name) @item.type)
(source_file (const_declaration "(" (const_spec name: (identifier) @name value: (_)? @body) @item.constant))
(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @name value: (_)? @body) @item.constant)))

; What stands right above an item and belongs to it.
(comment) @leading
