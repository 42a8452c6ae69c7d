(call target: (identifier) @_word (arguments . (alias) @name) (#eq? @_word "defmodule")) @definition.module
(call target: (identifier) @_word (arguments . (alias) @name) (#eq? @_word "defimpl")) @definition.impl
(call target: (identifier) @_word (arguments . (alias) @name) (#eq? @_word "defprotocol")) @definition.interface
(call target: (identifier) @_word
  (arguments . [
    (identifier) @name
    (call target: (identifier) @name)
    (binary_operator left: [(call target: (identifier) @name) (identifier) @name] operator: "when")])
  (#any-of? @_word "def" "defp" "defguard" "defguardp" "defdelegate")) @definition.function
(call target: (identifier) @_word
  (arguments . [
    (identifier) @name
    (call target: (identifier) @name)
    (binary_operator left: (call target: (identifier) @name) operator: "when")])
  (#any-of? @_word "defmacro" "defmacrop")) @definition.macro
(call target: (identifier) @_word (arguments . (string (quoted_content) @name))
  (#any-of? @_word "test" "describe")) @definition.test

(unary_operator operator: "@" operand: (call target: (identifier) @_word)
  (#any-of? @_word "doc" "spec" "impl" "deprecated" "tag")) @leading

(call target: (identifier) @_word (arguments . [(alias) (dot)] @import)
  (#any-of? @_word "alias" "import" "use" "require"))
