; Items of a Kotlin file: the capture's suffix is the item's kind, @name and @body are its parts.

(import (_) @name) @item.import
(class_declaration name: (_) @name (class_body)? @body) @item.class
(class_declaration "interface" name: (_) @name (class_body)? @body) @item.trait
(class_declaration name: (_) @name (enum_class_body) @body) @item.enum
(object_declaration name: (_) @name (class_body)? @body) @item.class
(enum_entry (identifier) @name) @item.variant
(function_declaration name: (_) @name (function_body)? @body) @item.function
(property_declaration (variable_declaration (identifier) @name)) @item.field
(source_file (property_declaration (variable_declaration (identifier) @name)) @item.constant)
(type_alias type: (_) @name) @item.type

; What stands right above an item and belongs to it.
(line_comment) @leading
(block_comment) @leading
