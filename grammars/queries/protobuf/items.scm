; Items of a protobuf file: the capture's suffix is the item's kind, @name and @body are its parts.

(import path: (_) @name) @item.import
(message (message_name) @name (message_body) @body) @item.struct
(enum (enum_name) @name (enum_body) @body) @item.enum
(enum_field (identifier) @name) @item.variant
(service (service_name) @name) @item.trait
(rpc (rpc_name) @name) @item.function
(field (identifier) @name) @item.field
(map_field (identifier) @name) @item.field
(oneof (identifier) @name) @item.field

; What stands right above an item and belongs to it.
(comment) @leading
