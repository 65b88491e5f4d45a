; Items of a Nix file: the capture's suffix is the item's kind, @name and @body are its parts.

(binding attrpath: (_) @name expression: (function_expression body: (_) @body)) @item.function
(binding attrpath: (_) @name expression: (_) @body) @item.constant

; What stands right above an item and belongs to it.
(comment) @leading
