(class_definition name: (identifier) @name) @definition.class
(function_definition name: (identifier) @name) @definition.function
(module (assignment left: (identifier) @name right: (lambda)) @definition.function)
(module (assignment left: (identifier) @name) @definition.variable)
(type_alias_statement left: (type) @name) @definition.type

(import_statement name: [(dotted_name) @import (aliased_import name: (dotted_name) @import)])
(import_from_statement module_name: [(dotted_name) (relative_import)] @import)
