; Items of a Ruby file: the capture's suffix is the item's kind, @name and @body are its parts.

(program
  (call method: (identifier) @_method arguments: (argument_list (_) @name)) @item.import
  (#any-of? @_method "require" "require_relative" "load"))
(module name: (_) @name body: (_)? @body) @item.module
(class name: (_) @name body: (_)? @body) @item.class
(method name: (_) @name body: (_)? @body) @item.function
(singleton_method name: (_) @name body: (_)? @body) @item.function
(program (assignment left: (constant) @name right: (_) @body) @item.constant)
(body_statement (assignment left: (constant) @name right: (_) @body) @item.constant)

; What stands right above an item and belongs to it.
(comment) @leading
