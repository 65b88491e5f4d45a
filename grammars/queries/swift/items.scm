; Items of a Swift file: the capture's suffix is the item's kind, @name and @body are its parts.

(import_declaration (identifier) @name) @item.import
(class_declaration "class" name: (type_identifier) @name body: (class_body) @body) @item.class
(class_declaration "actor" name: (type_identifier) @name body: (class_body) @body) @item.class
(class_declaration "struct" name: (type_identifier) @name body: (class_body) @body) @item.struct
(class_declaration "enum" name: (type_identifier) @name body: (enum_class_body) @body) @item.enum
(class_declaration "extension" name: (user_type) @name body: (class_body) @body) @item.impl
(protocol_declaration name: (type_identifier) @name body: (protocol_body) @body) @item.trait
(enum_entry name: (simple_identifier) @name) @item.variant
(function_declaration name: (simple_identifier) @name body: (function_body)? @body) @item.function
(protocol_function_declaration name: (simple_identifier) @name) @item.function
(init_declaration name: "init" @name body: (function_body)? @body) @item.function
(class_body (property_declaration name: (pattern (simple_identifier) @name)) @item.field)
(source_file (property_declaration name: (pattern (simple_identifier) @name)) @item.constant)
(protocol_property_declaration name: (pattern (simple_identifier) @name)) @item.field
(typealias_declaration "typealias" . name: (type_identifier) @name) @item.type

; What stands right above an item and belongs to it.
(comment) @leading
(multiline_comment) @leading
