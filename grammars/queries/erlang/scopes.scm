; Regions that hold a list of things: used for what encloses the cursor.
(source_file) @scope
(clause_body) @scope
