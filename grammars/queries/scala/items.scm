; Items of a Scala file: the capture's suffix is the item's kind, @name and @body are its parts.

(import_declaration) @item.import @name
(package_clause name: (_) @name body: (_)? @body) @item.module
(class_definition name: (_) @name body: (_)? @body) @item.class
(object_definition name: (_) @name body: (_)? @body) @item.class
(trait_definition name: (_) @name body: (_)? @body) @item.trait
(enum_definition name: (_) @name body: (_) @body) @item.enum
(simple_enum_case name: (_) @name) @item.variant
(full_enum_case name: (_) @name) @item.variant
(function_definition name: (_) @name body: (_) @body) @item.function
(function_declaration name: (_) @name) @item.function
(type_definition name: (_) @name) @item.type
(template_body (val_definition pattern: (identifier) @name value: (_) @body) @item.field)
(template_body (var_definition pattern: (identifier) @name value: (_) @body) @item.field)
(template_body (val_declaration name: (_) @name) @item.field)
(compilation_unit (val_definition pattern: (identifier) @name value: (_) @body) @item.constant)

; What stands right above an item and belongs to it.
(comment) @leading
(block_comment) @leading
(annotation) @leading
