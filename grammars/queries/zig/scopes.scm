; Regions that hold a list of things: used for what encloses the cursor.
(source_file) @scope
(block) @scope
(struct_declaration) @scope
(enum_declaration) @scope
(union_declaration) @scope
