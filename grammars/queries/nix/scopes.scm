; Regions that hold a list of things: used for what encloses the cursor.
(source_code) @scope
(attrset_expression) @scope
(rec_attrset_expression) @scope
(let_expression) @scope
(list_expression) @scope
