; Items of a CMake file: the capture's suffix is the item's kind, @name and @body are its parts.

(function_def (function_command (argument_list . (argument) @name)) (body)? @body) @item.function
(macro_def (macro_command (argument_list . (argument) @name)) (body)? @body) @item.macro
(normal_command
  (identifier) @_command
  (argument_list . (argument) @name)
  (#any-of? @_command "add_executable" "add_library" "add_custom_target" "set" "option")) @item.constant
(normal_command
  (identifier) @_command
  (argument_list . (argument) @name)
  (#any-of? @_command "include" "find_package" "add_subdirectory")) @item.import

; What stands right above an item and belongs to it.
(line_comment) @leading
(bracket_comment) @leading
