"""Which types of syntax nodes define something, over all grammars: mostly data."""

from __future__ import annotations

from functools import cache

_KINDS = {
    "function": "function func fun fn subroutine procedure proc subprogram defun operator trigger",
    "method": "method constructor destructor init accessor getter setter rpc",
    "class": "class object record contract actor mixin component entity model",
    "struct": "struct union",
    "interface": "interface protocol service",
    "trait": "trait concept",
    "enum": "enum enumeration",
    "type": "type alias typedef newtype data message scalar input",
    "module": "module mod namespace library",
    "impl": "impl extension instance implementation category",
    "macro": "macro",
    "test": "test",
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_ENDINGS = frozenset(
    {
        "definition",
        "declaration",
        "item",
        "specifier",
        "decl",
        "def",
        "spec",
        "statement",
        "binding",
        "macro",
        "implementation",
        "type",
        "proto",
    }
)
_WHOLE_TYPES = {
    # Definitions whose type is one plain word, or a word that the rules would take for something else.
    "class": "class", "module": "module", "method": "method", "function": "function", "instance": "impl",
    "data_type": "type", "newtype": "type", "message": "type", "service": "interface", "rpc": "method",
    "enum": "enum", "type_spec": "type", "type_alias": "type", "type_definition": "type",
    "type_declaration": "type", "type_item": "type", "internal_module": "module", "preproc_function_def": "macro",
    "macro_definition": "macro", "macro_def": "macro", "value_definition": "function",
    "contract_declaration": "class", "subroutine_declaration_statement": "function",
    "constructor_definition": "method", "fallback_receive_definition": "method", "function_clause": "function",
    "class_implementation": "class", "class_interface": "class", "protocol_declaration": "interface",
    "function_signature": "function", "function_statement": "function", "procedure_declaration": "function",
    "abstract_class_declaration": "class", "arrow_function": "", "function_type": "", "class_type": "",
    "record_type": "", "struct_type": "", "enum_type": "", "object_type": "", "method_type": "", "union_type": "",
    "type_binding": "type", "let_binding": "function", "module_binding": "module", "class_statement": "class",
    "import_statement": "", "data_declaration": "type", "type_statement": "", "const_spec": "",
    "property_declaration": "", "module_statement": "module", "subroutine_statement": "", "init_declarator": "",
}  # fmt: skip
"""What the rules below get wrong or cannot know; "" is no definition."""

WEAK = {
    "table": "section", "section": "section", "block": "block", "rule": "rule", "rule_set": "rule",
    "media_statement": "rule", "mixin_statement": "rule", "const_declaration": "variable",
    "var_declaration": "variable", "const_item": "variable", "preproc_def": "variable", "binding": "key",
    "target": "rule", "recipe": "rule",
}  # fmt: skip
WRAPPERS = frozenset(
    {
        "export_statement",
        "decorated_definition",
        "template_declaration",
        "ambient_declaration",
        "expression_statement",
        "statement",
        "type_declaration",
        "local_declaration",
        "labeled_statement",
        "declaration",
        "fun_decl",
        "value_declaration",
        "export_declaration",
        "attributed_statement",
        "definition",
        "type_system_definition",
        "unit",
    }
)
"""Nodes that stand for the one definition inside them."""
GROUPS = frozenset(
    {
        "lexical_declaration",
        "variable_declaration",
        "const_declaration",
        "var_declaration",
        "value_definition",
        "type_definition",
        "module_definition",
        "class_definition",
    }
)
"""Nodes that stand for one or more definitions right below them: ``let a = 1, b = 2``."""

ASSIGNMENTS = frozenset(
    {
        "lexical_declaration",
        "variable_declaration",
        "variable_declarator",
        "assignment_expression",
        "assignment_statement",
        "assignment",
        "field_definition",
        "public_field_definition",
        "binary_operator",
        "pair",
        "short_var_declaration",
        "let_statement",
    }
)
_NAMED_BLOCKS = frozenset({"hcl", "terraform"})
LISP = frozenset({"list_lit", "list", "list_literal", "special_form", "defun", "function_definition"})
LISP_LANGUAGES = frozenset({"clojure", "commonlisp", "elisp", "scheme", "racket", "fennel", "janet", "yuck", "clarity"})


@cache
def may_define(kind: str, language: str) -> bool:
    """Whether nodes of a type are worth a closer look: most are not."""
    if kind == "block":
        return language in _NAMED_BLOCKS
    if kind in ASSIGNMENTS or kind in WEAK or strong_kind(kind):
        return True
    return language in LISP_LANGUAGES and kind in LISP


@cache  # node types are few
def strong_kind(kind: str) -> str:
    """The kind of definition a type of node stands for, "" for none."""
    whole = _WHOLE_TYPES.get(kind)
    if whole is not None:
        return whole
    *words, ending = kind.split("_")
    if not words or ending not in _ENDINGS or ending in {"type", "statement", "proto"}:
        return ""
    return _KIND_OF.get(words[-1], "")


_KEPT = frozenset(
    {"function", "method", "class", "struct", "interface", "trait", "enum", "type", "module", "impl", "block"}
)


def plain_kind(kind: str) -> str:
    """The kind as the rest of the program knows it: a macro is called like a function, data are blocks with a name."""
    if kind in _KEPT:
        return kind
    return {"macro": "function", "table": "type"}.get(kind, "block")
