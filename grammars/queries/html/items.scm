; Items of a HTML file: the capture's suffix is the item's kind, @name and @body are its parts.

(element
  (start_tag (attribute (attribute_name) @_attribute (quoted_attribute_value (attribute_value) @name)))
  (#eq? @_attribute "id")) @item.struct
(script_element (start_tag (tag_name) @name) (raw_text)? @body) @item.module
(style_element (start_tag (tag_name) @name) (raw_text)? @body) @item.module

; What stands right above an item and belongs to it.
(comment) @leading
