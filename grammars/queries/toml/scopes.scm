; Regions that hold a list of things: used for what encloses the cursor.
(document) @scope
(table) @scope
(table_array_element) @scope
(array) @scope
(inline_table) @scope
