; Items of a R file: the capture's suffix is the item's kind, @name and @body are its parts.

(program (binary_operator lhs: (identifier) @name operator: ["<-" "="] rhs: (function_definition body: (_) @body)) @item.function)
(program (binary_operator lhs: (identifier) @name operator: ["<-" "="] rhs: (_) @body) @item.constant)
(program
  (call function: (identifier) @_function arguments: (arguments (argument value: (_) @name))) @item.import
  (#any-of? @_function "library" "require" "source"))

; What stands right above an item and belongs to it.
(comment) @leading
