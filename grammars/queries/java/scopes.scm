; Regions that hold a list of things: used for what encloses the cursor.
(program) @scope
(class_body) @scope
(interface_body) @scope
(enum_body) @scope
(annotation_type_body) @scope
(constructor_body) @scope
(block) @scope
(switch_block) @scope
