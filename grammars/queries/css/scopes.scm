; Regions that hold a list of things: used for what encloses the cursor.
(stylesheet) @scope
(block) @scope
(keyframe_block_list) @scope
