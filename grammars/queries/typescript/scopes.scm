; Regions that hold a list of things: used for what encloses the cursor.
(program) @scope
(class_body) @scope
(interface_body) @scope
(enum_body) @scope
(object_type) @scope
(statement_block) @scope
(switch_body) @scope
(object) @scope
