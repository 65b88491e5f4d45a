; Regions that hold a list of things: used for what encloses the cursor.
(compilation_unit) @scope
(template_body) @scope
(enum_body) @scope
(block) @scope
(case_block) @scope
(indented_block) @scope
