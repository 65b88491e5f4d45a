; Items of a shell file: the capture's suffix is the item's kind, @name and @body are its parts.

(function_definition name: (_) @name body: (_) @body) @item.function
(program (variable_assignment name: (_) @name value: (_)? @body) @item.constant)
(program (declaration_command (variable_assignment name: (_) @name value: (_)? @body)) @item.constant)
(program
  (command name: (command_name) @_command argument: (_) @name) @item.import
  (#any-of? @_command "source" "."))

; What stands right above an item and belongs to it.
(comment) @leading
