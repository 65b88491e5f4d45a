; Regions that hold a list of things: used for what encloses the cursor.
(source_file) @scope
(contract_body) @scope
(function_body) @scope
(block_statement) @scope
(struct_body) @scope
(enum_body) @scope
