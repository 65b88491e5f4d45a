; Regions that hold a list of things: used for what encloses the cursor.
(source) @scope
(do_block) @scope
(stab_clause) @scope
