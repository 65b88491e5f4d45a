; Regions that hold a list of things: used for what encloses the cursor.
(program) @scope
(braced_expression) @scope
