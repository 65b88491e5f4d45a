; Regions that hold a list of things: used for what encloses the cursor.
(chunk) @scope
(block) @scope
(table_constructor) @scope
(object_type) @scope
