; Regions that hold a list of things: used for what encloses the cursor.
(program) @scope
(class_body) @scope
(statement_block) @scope
(switch_body) @scope
(object) @scope
