; Regions that hold a list of things: used for what encloses the cursor.
(source_file) @scope
(block) @scope
(field_declaration_list) @scope
(interface_type) @scope
(import_spec_list) @scope
(expression_case) @scope
(literal_value) @scope
