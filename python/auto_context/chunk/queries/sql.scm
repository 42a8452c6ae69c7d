(create_table (object_reference) @name) @definition.table
(create_view (object_reference) @name) @definition.table
(create_materialized_view (object_reference) @name) @definition.table
(create_function (object_reference) @name) @definition.function
(create_trigger (keyword_trigger) . (object_reference) @name) @definition.function
(create_type . (keyword_create) . (keyword_type) . (object_reference) @name) @definition.type
(create_index column: (identifier) @name) @definition.table
