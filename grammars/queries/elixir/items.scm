; Items of a Elixir file: the capture's suffix is the item's kind, @name and @body are its parts.

(call
  target: (identifier) @_keyword
  (arguments . (alias) @name)
  (do_block) @body
  (#any-of? @_keyword "defmodule" "defprotocol" "defimpl")) @item.module
(call
  target: (identifier) @_keyword
  (arguments . (call target: (identifier) @name))
  (do_block)? @body
  (#any-of? @_keyword "def" "defp" "defmacro" "defmacrop" "defguard" "defdelegate")) @item.function
(call
  target: (identifier) @_keyword
  (arguments . (identifier) @name)
  (do_block)? @body
  (#any-of? @_keyword "def" "defp" "defmacro" "defmacrop")) @item.function
(call
  target: (identifier) @_keyword
  (arguments . (binary_operator left: (call target: (identifier) @name) operator: "when"))
  (do_block)? @body
  (#any-of? @_keyword "def" "defp" "defmacro" "defmacrop" "defguard")) @item.function
(call
  target: (identifier) @_keyword
  (arguments . (alias) @name)
  (#any-of? @_keyword "alias" "import" "use" "require")) @item.import

; What stands right above an item and belongs to it.
(comment) @leading
(unary_operator operator: "@" operand: (call target: (identifier) @_attribute)
  (#any-of? @_attribute "doc" "spec" "moduledoc" "impl")) @leading
