(document (pair . (_) @name) @definition.key)
(document (table . (_) @name) @definition.section)
(document (table_array_element . (_) @name) @definition.section)
(document (table (pair . (_) @name) @definition.key))
