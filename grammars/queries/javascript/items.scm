; Items of a JavaScript file besides those of TypeScript too.

(field_definition property: (_) @name value: (_)? @body) @item.field
