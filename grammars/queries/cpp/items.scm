; Items of a C++ file: the capture's suffix is the item's kind, @name and @body are its parts.

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

(class_specifier name: (_) @name body: (_) @body) @item.class
(namespace_definition name: (_) @name body: (_) @body) @item.module
(using_declaration (_) @name) @item.import
(alias_declaration name: (_) @name) @item.type
(concept_definition name: (_) @name) @item.trait
(function_definition
  declarator: (function_declarator declarator: (identifier) @name) (default_method_clause)) @item.function
(function_definition
  declarator: (function_declarator declarator: (identifier) @name) (delete_method_clause)) @item.function
(function_definition declarator: (function_declarator declarator: (field_identifier) @name) body: (_)? @body) @item.function
(function_definition
  declarator: (reference_declarator (function_declarator declarator: (field_identifier) @name))
  body: (_)? @body) @item.function
(function_definition declarator: (function_declarator declarator: (destructor_name) @name) body: (_)? @body) @item.function
(function_definition declarator: (function_declarator declarator: (operator_name) @name) body: (_)? @body) @item.function
(function_definition
  declarator: (function_declarator declarator: (qualified_identifier scope: (_) @owner name: (_) @name))
  body: (_)? @body) @item.function
(function_definition
  declarator: (reference_declarator
    (function_declarator declarator: (qualified_identifier scope: (_) @owner name: (_) @name)))
  body: (_)? @body) @item.function
(function_definition
  declarator: (pointer_declarator
    declarator: (function_declarator declarator: (qualified_identifier scope: (_) @owner name: (_) @name)))
  body: (_)? @body) @item.function
(field_declaration declarator: (function_declarator declarator: (field_identifier) @name)) @item.function
(field_declaration
  declarator: (pointer_declarator declarator: (function_declarator declarator: (field_identifier) @name))) @item.function
(field_declaration
  declarator: (reference_declarator (function_declarator declarator: (field_identifier) @name))) @item.function

; A template begins at its `template`; of two items with one name the larger counts.
(template_declaration (class_specifier name: (_) @name body: (_) @body)) @item.class
(template_declaration (struct_specifier name: (_) @name body: (_) @body)) @item.struct
(template_declaration
  (function_definition declarator: (function_declarator declarator: (identifier) @name) body: (_) @body)) @item.function

; What stands right above an item and belongs to it.
(comment) @leading
