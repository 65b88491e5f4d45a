; Regions that hold a list of things: used for what encloses the cursor.
(program) @scope
(compound_statement) @scope
(do_group) @scope
(if_statement) @scope
(case_statement) @scope
