(function_declaration name: (identifier) @name) @definition.function
(method_declaration
  receiver: (parameter_list
    (parameter_declaration type: [
      (type_identifier) @owner
      (pointer_type (type_identifier) @owner)
      (generic_type type: (type_identifier) @owner)
      (pointer_type (generic_type type: (type_identifier) @owner))]))
  name: (field_identifier) @name) @definition.method
(type_spec name: (type_identifier) @name type: (struct_type)) @definition.struct
(type_spec name: (type_identifier) @name type: (interface_type)) @definition.interface
(type_spec name: (type_identifier) @name) @definition.type
(type_alias name: (type_identifier) @name) @definition.type
(const_spec name: (identifier) @name) @definition.variable
(source_file (var_declaration (var_spec name: (identifier) @name) @definition.variable))

(import_spec path: (interpreted_string_literal) @import)
