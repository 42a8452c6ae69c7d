; inherits: c
(function_definition declarator: [(reference_declarator) (operator_cast)] @name) @definition.function
(function_definition declarator: (qualified_identifier name: (operator_cast)) @name) @definition.method
(class_specifier name: (_) @name body: (_)) @definition.class
(alias_declaration name: (type_identifier) @name) @definition.type
(concept_definition name: (identifier) @name) @definition.trait
(namespace_definition name: (_) @name) @definition.namespace
