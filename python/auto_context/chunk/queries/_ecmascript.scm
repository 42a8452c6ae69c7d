(class_declaration name: (_) @name) @definition.class
(function_declaration name: (identifier) @name) @definition.function
(generator_function_declaration name: (identifier) @name) @definition.function
(method_definition name: (_) @name) @definition.method
(variable_declarator name: (identifier) @name
  value: [(arrow_function) (function_expression) (generator_function)]) @definition.function
(variable_declarator name: (identifier) @name value: (class)) @definition.class
(assignment_expression left: (_) @name
  right: [(arrow_function) (function_expression) (generator_function)]) @definition.function
(assignment_expression left: (_) @name right: (class)) @definition.class
(pair key: (property_identifier) @name value: [(arrow_function) (function_expression)]) @definition.function
(program [
  (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable)
  (variable_declaration (variable_declarator name: (identifier) @name) @definition.variable)
  (export_statement (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable))])
(call_expression
  function: (identifier) @_test
  arguments: (arguments . (string (string_fragment) @name))
  (#any-of? @_test "describe" "it" "test" "context" "suite")) @definition.test

(import_statement source: (string (string_fragment) @import))
(export_statement source: (string (string_fragment) @import))
(call_expression function: [(identifier) (import)] @_require
  arguments: (arguments . (string (string_fragment) @import))
  (#any-of? @_require "require" "import"))
