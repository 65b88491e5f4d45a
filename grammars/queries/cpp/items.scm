; Items of a C++ file besides those of a C file.

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
