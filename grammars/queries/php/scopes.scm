; Regions that hold a list of things: used for what encloses the cursor.
(program) @scope
(declaration_list) @scope
(enum_declaration_list) @scope
(compound_statement) @scope
(switch_block) @scope
