; Items of a Terraform file: the capture's suffix is the item's kind, @name and @body are its parts.

(block (identifier) . (string_lit) . (string_lit) @name (body) @body) @item.struct
(block (identifier) . (string_lit) @name . (block_start) (body) @body) @item.struct
(config_file (body (block . (identifier) @name . (block_start) (body) @body) @item.struct))
(attribute (identifier) @name (expression) @body) @item.field

; What stands right above an item and belongs to it.
(comment) @leading
