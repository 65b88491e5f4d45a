; Regions that hold a list of things: used for what encloses the cursor.
(source_file) @scope
(block) @scope
(case_clauses) @scope
(data_constructors) @scope
