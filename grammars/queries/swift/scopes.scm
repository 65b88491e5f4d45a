; Regions that hold a list of things: used for what encloses the cursor.
(source_file) @scope
(class_body) @scope
(enum_class_body) @scope
(protocol_body) @scope
(function_body) @scope
(statements) @scope
