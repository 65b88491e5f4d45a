; Items of a PowerShell file: the capture's suffix is the item's kind, @name and @body are its parts.

(function_statement (function_name) @name (script_block) @body) @item.function
(class_statement . (simple_name) @name) @item.class
(enum_statement (simple_name) @name) @item.enum
(class_method_definition (simple_name) @name (script_block)? @body) @item.function
(class_property_definition (variable) @name) @item.field
(enum_member (simple_name) @name) @item.variant

; What stands right above an item and belongs to it.
(comment) @leading
