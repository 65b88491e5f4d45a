; Items of a Rust file: the capture's suffix is the item's kind, @name, @trait and @body are its parts.

(function_item name: (_) @name body: (_) @body) @item.function
(function_signature_item name: (_) @name) @item.function
(struct_item name: (_) @name body: (_)? @body) @item.struct
(union_item name: (_) @name body: (_) @body) @item.struct
(enum_item name: (_) @name body: (_) @body) @item.enum
(enum_variant name: (_) @name body: (_)? @body) @item.variant
(field_declaration name: (_) @name) @item.field
(trait_item name: (_) @name body: (_) @body) @item.trait
(impl_item trait: (_)? @trait type: (_) @name body: (_)? @body) @item.impl
(mod_item name: (_) @name body: (_)? @body) @item.module
(foreign_mod_item (extern_modifier) @name body: (_)? @body) @item.module
(use_declaration argument: (_) @name) @item.import
(extern_crate_declaration name: (_) @name) @item.import
(const_item name: (_) @name value: (_)? @body) @item.constant
(static_item name: (_) @name value: (_)? @body) @item.constant
(type_item name: (_) @name) @item.type
(associated_type name: (_) @name) @item.type
(macro_definition name: (_) @name) @item.macro
(source_file (expression_statement (macro_invocation macro: (_) @name (token_tree) @body)) @item.macro)
(source_file (macro_invocation macro: (_) @name (token_tree) @body) @item.macro)

; What stands right above an item and belongs to it.
(attribute_item) @leading
(line_comment) @leading
(block_comment) @leading
