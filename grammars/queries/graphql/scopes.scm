; Regions that hold a list of things: used for what encloses the cursor.
(document) @scope
(fields_definition) @scope
(input_fields_definition) @scope
(enum_values_definition) @scope
(selection_set) @scope
