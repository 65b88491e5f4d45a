; Regions that hold a list of things: used for what encloses the cursor.
(program) @scope
(body_statement) @scope
(then) @scope
(do_block) @scope
(block) @scope
