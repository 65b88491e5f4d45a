; Regions that hold a list of things: used for what encloses the cursor.
(source_file) @scope
(class_body) @scope
(enum_body) @scope
(block) @scope
(extension_body) @scope
(switch_block) @scope
