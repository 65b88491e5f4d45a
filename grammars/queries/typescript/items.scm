; Items of a TypeScript file: the capture's suffix is the item's kind, @name and @body are its parts.

(function_declaration name: (_) @name body: (_) @body) @item.function
(generator_function_declaration name: (_) @name body: (_) @body) @item.function
(method_definition name: (_) @name body: (_) @body) @item.function
(import_statement source: (_) @name) @item.import
(program (lexical_declaration (variable_declarator name: (identifier) @name value: (_)? @body)) @item.constant)
(program (variable_declaration (variable_declarator name: (identifier) @name value: (_)? @body)) @item.constant)
(program (lexical_declaration (variable_declarator name: (identifier) @name value: (arrow_function body: (_) @body))) @item.function)
(program (lexical_declaration (variable_declarator name: (identifier) @name value: (function_expression body: (_) @body))) @item.function)

; An exported item begins at its `export`; of two items with one name the larger counts.
(export_statement declaration: (function_declaration name: (_) @name body: (_) @body)) @item.function
(export_statement declaration: (generator_function_declaration name: (_) @name body: (_) @body)) @item.function
(export_statement declaration: (class_declaration name: (_) @name body: (_) @body)) @item.class
(export_statement declaration: (lexical_declaration (variable_declarator name: (identifier) @name value: (_)? @body))) @item.constant
(export_statement declaration: (lexical_declaration (variable_declarator name: (identifier) @name value: (arrow_function body: (_) @body)))) @item.function
(export_statement source: (_) @name) @item.import

(class_declaration name: (_) @name body: (_) @body) @item.class
(abstract_class_declaration name: (_) @name body: (_) @body) @item.class
(interface_declaration name: (_) @name body: (_) @body) @item.trait
(type_alias_declaration name: (_) @name value: (_) @body) @item.type
(enum_declaration name: (_) @name body: (_) @body) @item.enum
(enum_body name: (_) @name @item.variant)
(enum_assignment name: (_) @name value: (_) @body) @item.variant
(internal_module name: (_) @name body: (_) @body) @item.module
(module name: (_) @name body: (_) @body) @item.module
(public_field_definition name: (_) @name value: (_)? @body) @item.field
(property_signature name: (_) @name) @item.field
(method_signature name: (_) @name) @item.function
(abstract_method_signature name: (_) @name) @item.function
(function_signature name: (_) @name) @item.function
(export_statement declaration: (abstract_class_declaration name: (_) @name body: (_) @body)) @item.class
(export_statement declaration: (interface_declaration name: (_) @name body: (_) @body)) @item.trait
(export_statement declaration: (type_alias_declaration name: (_) @name value: (_) @body)) @item.type
(export_statement declaration: (enum_declaration name: (_) @name body: (_) @body)) @item.enum
(export_statement declaration: (function_signature name: (_) @name)) @item.function

; What stands right above an item and belongs to it.
(comment) @leading
(decorator) @leading
