; A declarator without parameters is what the parser makes of an unknown macro.
(function_definition declarator: [(function_declarator) (pointer_declarator) (parenthesized_declarator)] @name) @definition.function
(struct_specifier name: (_) @name body: (_)) @definition.struct
(union_specifier name: (_) @name body: (_)) @definition.struct
(enum_specifier name: (_) @name body: (_)) @definition.enum
(type_definition
  type: [(struct_specifier name: (_)) (union_specifier name: (_)) (enum_specifier name: (_))]
  declarator: (type_identifier) @name @definition.type)
(type_definition
  type: [
    (struct_specifier !name) (union_specifier !name) (enum_specifier !name)
    (primitive_type) (sized_type_specifier) (type_identifier)]
  declarator: [(type_identifier) (pointer_declarator) (function_declarator)] @name) @definition.type
(preproc_function_def name: (identifier) @name) @definition.macro
(preproc_def name: (identifier) @name value: (_)) @definition.variable

(preproc_include path: (_) @import)
