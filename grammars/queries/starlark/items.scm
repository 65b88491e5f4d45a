; Items of a Starlark file: the capture's suffix is the item's kind, @name and @body are its parts.

(function_definition name: (_) @name body: (_) @body) @item.function
(module (expression_statement (assignment left: (_) @name right: (_)? @body)) @item.constant)
(module
  (expression_statement (call function: (identifier) @_function arguments: (argument_list . (string) @name))) @item.import
  (#eq? @_function "load"))
(module
  (expression_statement
    (call
      arguments: (argument_list
        (keyword_argument name: (identifier) @_key value: (string) @name)))) @item.struct
  (#eq? @_key "name"))

; What stands right above an item and belongs to it.
(comment) @leading
