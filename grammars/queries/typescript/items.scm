; Items of a TypeScript file besides those of JavaScript too.

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
(decorator) @leading
