; Items of a Java file: the capture's suffix is the item's kind, @name and @body are its parts.

(import_declaration [(scoped_identifier) (identifier)] @name) @item.import
(class_declaration name: (_) @name body: (_) @body) @item.class
(record_declaration name: (_) @name body: (_) @body) @item.class
(interface_declaration name: (_) @name body: (_) @body) @item.trait
(annotation_type_declaration name: (_) @name body: (_) @body) @item.trait
(enum_declaration name: (_) @name body: (_) @body) @item.enum
(enum_constant name: (_) @name body: (_)? @body) @item.variant
(method_declaration name: (_) @name body: (_)? @body) @item.function
(constructor_declaration name: (_) @name body: (_) @body) @item.function
(compact_constructor_declaration name: (_) @name body: (_) @body) @item.function
(field_declaration declarator: (variable_declarator name: (_) @name value: (_)? @body)) @item.field
(constant_declaration declarator: (variable_declarator name: (_) @name value: (_)? @body)) @item.constant

; What stands right above an item and belongs to it.
(line_comment) @leading
(block_comment) @leading
