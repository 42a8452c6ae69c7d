(rule_set (selectors) @name) @definition.rule
(keyframes_statement (keyframes_name) @name) @definition.rule

(import_statement [(string_value (string_content) @import) (call_expression (arguments (_) @import))])
