; Regions that hold a list of things: used for what encloses the cursor.
(file) @scope
(let_in_expr) @scope
(case_of_expr) @scope
(record_expr) @scope
