; Items of a TOML file: the capture's suffix is the item's kind, @name and @body are its parts.

(table . [(bare_key) (dotted_key) (quoted_key)] @name) @item.module
(table_array_element . [(bare_key) (dotted_key) (quoted_key)] @name) @item.module
(document (pair . (_) @name (_) @body) @item.constant)
(table (pair . (_) @name (_) @body) @item.field)

; What stands right above an item and belongs to it.
(comment) @leading
