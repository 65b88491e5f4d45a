; Regions that hold a list of things: used for what encloses the cursor.
(module) @scope
(block) @scope
