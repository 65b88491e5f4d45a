; Regions that hold a list of things: used for what encloses the cursor.
(source_file) @scope
(declaration_list) @scope
(field_declaration_list) @scope
(enum_variant_list) @scope
(match_block) @scope
(block) @scope
