; Regions that hold a list of things: used for what encloses the cursor.
(makefile) @scope
(recipe) @scope
(conditional) @scope
