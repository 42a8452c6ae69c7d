(data_type name: (_) @name) @definition.type
(newtype name: (_) @name) @definition.type
(type_synomym name: (_) @name) @definition.type
(class name: (_) @name) @definition.trait
(instance name: (_) @name) @definition.impl
(declarations (function name: (_) @name) @definition.function)
(declarations (function (infix operator: (_) @name)) @definition.function)
(declarations (bind name: (_) @name) @definition.function)
(class_declarations (signature name: (_) @name) @definition.function)
(instance_declarations (function name: (_) @name) @definition.function)
(instance_declarations (bind name: (_) @name) @definition.function)

(import module: (module) @import)
