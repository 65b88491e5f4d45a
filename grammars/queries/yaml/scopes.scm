; Regions that hold a list of things: used for what encloses the cursor.
(document) @scope
(block_mapping) @scope
(block_sequence) @scope
(flow_mapping) @scope
(flow_sequence) @scope
