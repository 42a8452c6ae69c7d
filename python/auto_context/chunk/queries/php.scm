(class_declaration name: (name) @name) @definition.class
(interface_declaration name: (name) @name) @definition.interface
(trait_declaration name: (name) @name) @definition.trait
(enum_declaration name: (name) @name) @definition.enum
(method_declaration name: (name) @name) @definition.method
(function_definition name: (name) @name) @definition.function
(namespace_definition name: (_) @name body: (_)) @definition.namespace

(namespace_use_clause . [(qualified_name) (name)] @import)
(require_once_expression [
  (_ . (string_content) @import .)
  (binary_expression right: (_ . (string_content) @import .))
  (parenthesized_expression [
    (_ . (string_content) @import .)
    (binary_expression right: (_ . (string_content) @import .))])])
(require_expression [
  (_ . (string_content) @import .)
  (binary_expression right: (_ . (string_content) @import .))
  (parenthesized_expression [
    (_ . (string_content) @import .)
    (binary_expression right: (_ . (string_content) @import .))])])
(include_once_expression [
  (_ . (string_content) @import .)
  (binary_expression right: (_ . (string_content) @import .))
  (parenthesized_expression [
    (_ . (string_content) @import .)
    (binary_expression right: (_ . (string_content) @import .))])])
(include_expression [
  (_ . (string_content) @import .)
  (binary_expression right: (_ . (string_content) @import .))
  (parenthesized_expression [
    (_ . (string_content) @import .)
    (binary_expression right: (_ . (string_content) @import .))])])
