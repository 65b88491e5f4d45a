; Items of a C# file: the capture's suffix is the item's kind, @name and @body are its parts.

(using_directive (_) @name) @item.import
(namespace_declaration name: (_) @name body: (_) @body) @item.module
(file_scoped_namespace_declaration name: (_) @name) @item.module
(class_declaration name: (_) @name body: (_)? @body) @item.class
(record_declaration name: (_) @name body: (_)? @body) @item.class
(struct_declaration name: (_) @name body: (_)? @body) @item.struct
(interface_declaration name: (_) @name body: (_) @body) @item.trait
(enum_declaration name: (_) @name body: (_) @body) @item.enum
(enum_member_declaration name: (_) @name value: (_)? @body) @item.variant
(delegate_declaration name: (_) @name) @item.type
(method_declaration name: (_) @name body: (_)? @body) @item.function
(constructor_declaration name: (_) @name body: (_)? @body) @item.function
(destructor_declaration name: (_) @name body: (_)? @body) @item.function
(property_declaration name: (_) @name accessors: (_)? @body) @item.field
(field_declaration (variable_declaration (variable_declarator name: (_) @name))) @item.field
(event_field_declaration (variable_declaration (variable_declarator name: (_) @name))) @item.field

; What stands right above an item and belongs to it.
(comment) @leading
