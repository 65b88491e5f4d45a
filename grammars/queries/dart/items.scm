; Items of a Dart file: the capture's suffix is the item's kind, @name and @body are its parts.

(import_or_export (library_import (import_specification uri: (_) @name))) @item.import
(class_declaration name: (_) @name body: (_) @body) @item.class
(mixin_declaration name: (_) @name body: (_) @body) @item.class
(extension_declaration name: (_) @name body: (_) @body) @item.class
(enum_declaration name: (_) @name body: (_) @body) @item.enum
(enum_entry name: (_) @name) @item.variant
(type_alias . (type_identifier) @name) @item.type
(function_declaration signature: (function_signature name: (_) @name) body: (_) @body) @item.function
(method_declaration signature: (method_signature (_ name: (_) @name)) body: (_) @body) @item.function
(member_declaration (declaration (constructor_signature name: (_) @name))) @item.function
(member_declaration (declaration (function_signature name: (_) @name))) @item.function
(member_declaration
  (declaration (initialized_identifier_list (initialized_identifier name: (_) @name)))) @item.field

; What stands right above an item and belongs to it.
(comment) @leading
(documentation_comment) @leading
(annotation) @leading
