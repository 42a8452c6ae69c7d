(call target: (identifier) @_word (arguments . (alias) @name)
  (#any-of? @_word "defmodule" "defimpl")) @definition.module
(call target: (identifier) @_word (arguments . (alias) @name)
  (#eq? @_word "defprotocol")) @definition.interface
(call target: (identifier) @_word
  (arguments . [
    (identifier) @name
    (call target: (identifier) @name)
    (binary_operator left: (call target: (identifier) @name))
    (binary_operator left: (identifier) @name)])
  (#any-of? @_word "def" "defp" "defguard" "defguardp" "defdelegate")) @definition.function
(call target: (identifier) @_word
  (arguments . [
    (identifier) @name
    (call target: (identifier) @name)
    (binary_operator left: (call target: (identifier) @name))])
  (#any-of? @_word "defmacro" "defmacrop")) @definition.macro
(call target: (identifier) @_word (arguments . (string (quoted_content) @name))
  (#any-of? @_word "test" "describe")) @definition.test

(call target: (identifier) @_word (arguments . (alias) @import)
  (#any-of? @_word "alias" "import" "use" "require"))
