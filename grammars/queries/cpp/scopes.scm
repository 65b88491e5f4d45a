; Regions that hold a list of things: used for what encloses the cursor.
(translation_unit) @scope
(declaration_list) @scope
(compound_statement) @scope
(field_declaration_list) @scope
(enumerator_list) @scope
(initializer_list) @scope
