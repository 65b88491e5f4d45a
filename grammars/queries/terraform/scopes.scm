; Regions that hold a list of things: used for what encloses the cursor.
(config_file) @scope
(body) @scope
(object) @scope
(tuple) @scope
