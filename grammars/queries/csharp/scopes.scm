; Regions that hold a list of things: used for what encloses the cursor.
(compilation_unit) @scope
(declaration_list) @scope
(enum_member_declaration_list) @scope
(block) @scope
(accessor_list) @scope
(switch_body) @scope
