; Regions that hold a list of things: used for what encloses the cursor.
(program) @scope
(script_block) @scope
(statement_block) @scope
