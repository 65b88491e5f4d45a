; Items of JavaScript and TypeScript files: the capture's suffix is the item's kind, @name and @body are its parts.

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

; What stands right above an item and belongs to it.
(comment) @leading
