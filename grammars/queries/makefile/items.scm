; Items of a make file: the capture's suffix is the item's kind, @name and @body are its parts.

(rule (targets) @name (recipe)? @body) @item.function
(variable_assignment name: (_) @name value: (_)? @body) @item.constant
(define_directive name: (_) @name value: (_)? @body) @item.macro
(include_directive filenames: (_) @name) @item.import

; What stands right above an item and belongs to it.
(comment) @leading
