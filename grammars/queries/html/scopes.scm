; Regions that hold a list of things: used for what encloses the cursor.
(document) @scope
(element) @scope
(script_element) @scope
(style_element) @scope
