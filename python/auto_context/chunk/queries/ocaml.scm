(module_binding (module_name) @name) @definition.module
(module_type_definition (module_type_name) @name) @definition.interface
(value_definition (let_binding pattern: (value_name) @name (parameter)) @definition.function)
(value_definition (let_binding pattern: (value_name) @name body: [(fun_expression) (function_expression)]) @definition.function)
(compilation_unit (value_definition (let_binding pattern: (value_name) @name) @definition.variable))
(type_binding name: (type_constructor) @name) @definition.type
(class_binding (class_name) @name) @definition.class
(method_definition (method_name) @name) @definition.method
(external (value_name) @name) @definition.function

(open_module module: (_) @import)
