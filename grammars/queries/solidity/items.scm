; Items of a Solidity file: the capture's suffix is the item's kind, @name and @body are its parts.

(import_directive source: (_) @name) @item.import
(contract_declaration name: (_) @name body: (_) @body) @item.class
(interface_declaration name: (_) @name body: (_) @body) @item.trait
(library_declaration name: (_) @name body: (_) @body) @item.module
(struct_declaration name: (_) @name body: (_) @body) @item.struct
(struct_member name: (_) @name) @item.field
(enum_declaration name: (_) @name body: (_) @body) @item.enum
(event_definition name: (_) @name) @item.type
(error_declaration name: (_) @name) @item.type
(modifier_definition name: (_) @name body: (_)? @body) @item.function
(function_definition name: (_) @name body: (_)? @body) @item.function
(constructor_definition "constructor" @name body: (_)? @body) @item.function
(state_variable_declaration name: (_) @name) @item.field

; What stands right above an item and belongs to it.
(comment) @leading
