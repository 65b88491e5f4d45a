; Items of a PHP file: the capture's suffix is the item's kind, @name and @body are its parts.

(namespace_use_declaration (namespace_use_clause (_) @name)) @item.import
(namespace_definition name: (_) @name body: (_)? @body) @item.module
(class_declaration name: (_) @name body: (_) @body) @item.class
(interface_declaration name: (_) @name body: (_) @body) @item.trait
(trait_declaration name: (_) @name body: (_) @body) @item.trait
(enum_declaration name: (_) @name body: (_) @body) @item.enum
(enum_case name: (_) @name value: (_)? @body) @item.variant
(function_definition name: (_) @name body: (_) @body) @item.function
(method_declaration name: (_) @name body: (_)? @body) @item.function
(property_declaration (property_element name: (_) @name)) @item.field
(const_declaration (const_element (name) @name)) @item.constant

; What stands right above an item and belongs to it.
(comment) @leading
