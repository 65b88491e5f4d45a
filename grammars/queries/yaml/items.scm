; Items of a YAML file: the capture's suffix is the item's kind, @name and @body are its parts.

(document (block_node (block_mapping (block_mapping_pair key: (_) @name value: (_)? @body) @item.field)))
(block_mapping_pair
  value: (block_node (block_mapping (block_mapping_pair key: (_) @name value: (_)? @body) @item.field)))

; What stands right above an item and belongs to it.
(comment) @leading
