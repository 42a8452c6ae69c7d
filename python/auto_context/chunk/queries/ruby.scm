(class name: (_) @name) @definition.class
(module name: (_) @name) @definition.module
(method name: (_) @name) @definition.method
(singleton_method name: (_) @name) @definition.method
(program (assignment left: (constant) @name) @definition.variable)
(call method: (identifier) @_test arguments: (argument_list . (string (string_content) @name)) block: (_)
  (#any-of? @_test "describe" "it" "context" "test" "scenario")) @definition.test

(call method: (identifier) @_require arguments: (argument_list . (string (string_content) @import))
  (#any-of? @_require "require" "require_relative" "load"))
