; inherits: c
(function_definition declarator: [(reference_declarator) (operator_cast) (qualified_identifier)] @name) @definition.function
(class_specifier name: (_) @name body: (_)) @definition.class
(type_definition
  type: [(template_type) (qualified_identifier)] declarator: (type_identifier) @name) @definition.type
(alias_declaration name: (type_identifier) @name) @definition.type
(concept_definition name: (identifier) @name) @definition.trait
(namespace_definition name: (_) @name) @definition.namespace
