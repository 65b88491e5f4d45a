; Items of a CSS file: the capture's suffix is the item's kind, @name and @body are its parts.

(import_statement (_) @name) @item.import
(rule_set (selectors) @name (block) @body) @item.struct
(keyframes_statement (keyframes_name) @name (keyframe_block_list) @body) @item.function

; What stands right above an item and belongs to it.
(comment) @leading
