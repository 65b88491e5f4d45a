; Regions that hold a list of things: used for what encloses the cursor.
(source_file) @scope
(message_body) @scope
(enum_body) @scope
(service) @scope
