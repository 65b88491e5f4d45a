; Items of a GraphQL file: the capture's suffix is the item's kind, @name and @body are its parts.

(object_type_definition (name) @name (fields_definition)? @body) @item.struct
(object_type_extension (name) @name (fields_definition)? @body) @item.impl
(input_object_type_definition (name) @name (input_fields_definition)? @body) @item.struct
(interface_type_definition (name) @name (fields_definition)? @body) @item.trait
(enum_type_definition (name) @name (enum_values_definition)? @body) @item.enum
(enum_value_definition (enum_value) @name) @item.variant
(union_type_definition (name) @name) @item.type
(scalar_type_definition (name) @name) @item.type
(directive_definition (name) @name) @item.macro
(field_definition (name) @name) @item.field
(operation_definition (name) @name (selection_set) @body) @item.function
(fragment_definition (fragment_name) @name (selection_set) @body) @item.function

; What stands right above an item and belongs to it.
(comment) @leading
