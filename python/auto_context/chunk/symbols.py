"""What a syntax node defines: its kind and its name, by rules that hold for most grammars, and a few that do not."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from tree_sitter import Node


class Definition(NamedTuple):
    """A node that gives something a name.

    ``strong`` ones deserve a chunk of their own; the others (variables, keys, rules) only name one they fill.
    """

    kind: str
    name: str
    strong: bool


_KINDS = {
    "function": "function func fun fn subroutine procedure proc subprogram defun operator trigger",
    "method": "method constructor destructor init deinit accessor getter setter rpc",
    "class": "class object record contract actor mixin component entity model",
    "struct": "struct union",
    "interface": "interface protocol signature_declaration service",
    "trait": "trait typeclass concept",
    "enum": "enum enumeration",
    "type": "type alias typedef newtype data synonym message scalar input",
    "module": "module mod namespace library",
    "impl": "impl extension instance implementation category",
    "macro": "macro",
    "test": "test testdecl",
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_ENDINGS = frozenset(
    "definition declaration item specifier decl def spec statement binding macro implementation type proto".split()
)
_WHOLE_TYPES = {
    # Definitions whose type is one plain word, or a word that the rules would take for something else.
    "class": "class", "module": "module", "method": "method", "singleton_method": "method", "function": "function",
    "instance": "impl", "data_type": "type", "newtype": "type", "type_synonym": "type", "message": "type",
    "service": "interface", "rpc": "method", "enum": "enum", "type_spec": "type", "type_alias": "type",
    "type_definition": "type", "type_declaration": "type", "type_item": "type", "TestDecl": "test",
    "internal_module": "module", "preproc_function_def": "macro", "macro_definition": "macro", "macro_def": "macro",
    "macro_rules": "macro", "value_definition": "function", "contract_declaration": "class", "internal_class": "class",
    "subroutine_declaration_statement": "function", "subroutine_declaration": "function",
    "constructor_definition": "method", "fallback_receive_definition": "method", "function_clause": "function",
    "class_implementation": "class", "class_interface": "class", "protocol_declaration": "interface",
    "create_function": "function", "create_table": "table", "create_view": "table", "create_procedure": "function",
    "create_trigger": "function", "create_type": "type", "create_materialized_view": "table", "create_index": "table",
    "function_signature": "function", "function_statement": "function", "procedure_declaration": "function",
    "abstract_class_declaration": "class", "companion_object": "class", "arrow_function": "", "function_type": "",
    "class_type": "", "record_type": "", "struct_type": "", "enum_type": "", "object_type": "", "method_type": "",
    "module_type": "", "interface_type": "", "union_type": "", "type_binding": "type", "let_binding": "function",
    "module_binding": "module", "class_statement": "class", "FnProto": "", "import_statement": "", "proto": "",
    "method_spec": "method", "data_declaration": "type", "type_statement": "", "input_statement": "",
    "test_statement": "", "object_statement": "", "function_macro": "macro", "const_spec": "", "var_spec": "",
    "property_declaration": "", "module_statement": "module", "subroutine_statement": "", "init_declarator": "",
}  # fmt: skip
"""What the rules below get wrong or cannot know; "" is no definition."""

_WEAK = {
    "table": "section", "table_array_element": "section", "section": "section", "block_mapping_pair": "key",
    "block": "block", "rule": "rule", "rule_set": "rule", "media_statement": "rule", "mixin_statement": "rule",
    "const_declaration": "variable", "var_declaration": "variable", "const_item": "variable",
    "static_item": "variable", "val_definition": "variable", "preproc_def": "macro", "binding": "key", "target": "rule",
    "recipe": "rule",
}  # fmt: skip
_WRAPPERS = frozenset(
    "export_statement decorated_definition template_declaration ambient_declaration expression_statement statement "
    "type_declaration source_element top_level_statement annotated_declaration local_declaration Decl "
    "labeled_statement declaration fun_decl value_declaration function_definition_statement export_declaration "
    "attributed_statement definition type_system_definition toplevel_def unit".split()
)
"""Nodes that stand for the one definition inside them."""

_ASSIGNMENTS = frozenset(
    "lexical_declaration variable_declaration variable_declarator assignment_expression assignment_statement "
    "assignment field_definition public_field_definition binary_operator property_definition pair "
    "short_var_declaration let_statement VarDecl".split()
)
_VALUE = re.compile(r"(function|lambda|closure|arrow|func_literal|fn_|anonymous_fun|ContainerDecl|^class$|class_expr)")
_NO_VALUE = re.compile(r"call|type|invocation|apply")
_IDENTIFIER = re.compile(
    r"(^|_)(identifier|name|symbol|constant|bareword|atom|variable|word|ident|IDENTIFIER|sym_lit|alias|"
    r"variable_name|selectors|dotted_key|bare_key|quoted_key|constructor|string|function_name|targets)$"
)
_NAME_FIELDS = ("name", "declarator", "key", "property", "pattern", "function", "left", "lhs", "attrpath", "head")
_INNER = re.compile(
    r"signature|declaration$|_head$|_binding$|object_reference|call_expression$|header|prototype|FnProto|VarDecl|"
    r"function_name|clause$|_statement$|module$|spec$|template_type|generic_type|user_type"
)
_LISP = frozenset({"list_lit", "list", "list_literal", "sexp", "special_form", "defun", "function_definition"})
_LISP_LANGUAGES = frozenset(
    {"clojure", "commonlisp", "elisp", "scheme", "racket", "fennel", "janet", "yuck", "clarity"}
)
_LISP_KINDS = (("macro", "macro"), ("class", "class"), ("struct", "struct"), ("record", "struct"), ("type", "type"))
_ELIXIR = {
    "defmodule": "module", "def": "function", "defp": "function", "defmacro": "macro", "defmacrop": "macro",
    "defprotocol": "interface", "defimpl": "impl", "defguard": "function", "test": "test", "describe": "test",
    "defdelegate": "function",
}  # fmt: skip
_TEST_CALLS = frozenset({"describe", "it", "test", "context", "suite", "beforeEach", "afterEach", "beforeAll"})
_MOST_NAME_CHARS = 80
_DEEPEST_NAME = 5
_GENERICS = re.compile(r"\s*<[^<>]*>|\s*\[[^\[\]]*\]")
_EXPORTED = re.compile(r"^(?:module\.)?exports\.|\.prototype(?=\.)|^\$?this\.|^self\.")


def definition(node: Node, language: str) -> Definition | None:
    """What a node defines, None when nothing that is worth a name."""
    inner: Node | None = node
    for _ in range(_DEEPEST_NAME):
        if inner is None:
            return None
        found = _plain(inner, language)
        if found is not None:
            return found
        if inner.type not in _WRAPPERS:
            return None
        inner = _wrapped(inner)
    return None


def _plain(node: Node, language: str) -> Definition | None:
    kind = node.type
    if language in _LISP_LANGUAGES and kind in _LISP:
        return _lisp(node)
    if kind == "call" and language == "elixir":
        return _elixir(node)
    if kind == "call_expression":
        return _test_call(node)
    if kind in _ASSIGNMENTS:
        return _assignment(node)
    strong = _strong_kind(kind)
    if strong and not (kind.endswith("_specifier") and node.child_by_field_name("body") is None):
        name = _qualified(node, kind)
        return Definition(strong, name, strong=True) if name else None
    if kind in _WEAK:
        name = _block_name(node) if kind == "block" else _name(node)
        return Definition(_WEAK[kind], name, strong=False) if name else None
    return None


@lru_cache(maxsize=None)  # node types are few
def _strong_kind(kind: str) -> str:
    """The kind of definition a type of node stands for, "" for none."""
    whole = _WHOLE_TYPES.get(kind)
    if whole is not None:
        return whole
    *words, ending = kind.split("_")
    if not words or ending not in _ENDINGS or ending in {"type", "statement", "proto"}:
        return ""
    return _KIND_OF.get(words[-1], "")


def _wrapped(node: Node) -> Node | None:
    """The definition inside a wrapper: the child named so, else the last that could be one."""
    for field in ("declaration", "definition", "value"):
        child = node.child_by_field_name(field)
        if child is not None:
            return child
    candidates = [
        c for c in node.named_children if _strong_kind(c.type) or c.type in _ASSIGNMENTS or c.type in _WRAPPERS
    ]
    if candidates:
        return candidates[-1]
    return node.named_child(0) if node.named_child_count == 1 else None


def _qualified(node: Node, kind: str) -> str:
    """The name, with the type a method is declared for."""
    if kind == "impl_item":
        return _text(node.child_by_field_name("type"))
    name = _name(node)
    if kind == "method_declaration":
        receiver = node.child_by_field_name("receiver")
        if receiver is not None and receiver.named_child_count:
            owner = _text(receiver.named_children[-1].child_by_field_name("type")).lstrip("*& ")
            return f"{owner}.{name}" if owner else name
    return name


def _name(node: Node, depth: int = 0) -> str:
    if depth > _DEEPEST_NAME:
        return ""
    for field in _NAME_FIELDS:
        child = node.child_by_field_name(field)
        if child is None:
            continue
        if field == "name" or _IDENTIFIER.search(child.type):
            return _text(child)
        return _name(child, depth + 1) or _text(child)
    children = node.named_children
    for child in children:
        if _IDENTIFIER.search(child.type):
            return _text(child)
    for child in children:
        if _INNER.search(child.type):
            found = _name(child, depth + 1)
            if found:
                return found
    return ""


def _text(node: Node | None) -> str:
    """A node's text as a name: one line, no generics, dots between its parts."""
    if node is None or node.text is None:
        return ""
    text = node.text[: 4 * _MOST_NAME_CHARS].decode("utf-8", "replace").split("\n", 1)[0].strip()
    text = _GENERICS.sub("", _GENERICS.sub("", text)).strip("\"' ")
    text = _EXPORTED.sub("", text.replace("::", ".").replace("->", "."))
    if re.fullmatch(r"\w+:\w+", text):
        text = text.replace(":", ".")
    return text[:_MOST_NAME_CHARS]


def _assignment(node: Node) -> Definition | None:
    """A name given to a function or a class is its definition; any other value is a variable."""
    target, value = _sides(node)
    if target is None:
        return None
    name = _text(target).split("(", 1)[0].split(",", 1)[0].strip()
    if not name or not re.match(r"[\w$@.:\"'-]+$", name):
        return None
    inner = value
    while (
        inner is not None
        and inner.named_child_count == 1
        and inner.type in {"expression_list", "ErrorUnionExpr", "SuffixExpr"}
    ):
        inner = inner.named_child(0)
    shape = inner.type if inner is not None else ""
    if target.type == "call_expression" or (_VALUE.search(shape) and not _NO_VALUE.search(shape)):
        return Definition("class" if "lass" in shape else "function", name, strong=True)
    return Definition("variable", name, strong=False)


def _sides(node: Node) -> tuple[Node | None, Node | None]:
    if node.type in {"lexical_declaration", "variable_declaration", "let_statement"}:
        inner = next((c for c in node.named_children if c.type in _ASSIGNMENTS), None)
        if inner is not None:
            return _sides(inner)
    target = value = None
    for field in ("name", "left", "lhs", "key", "property", "pattern", "variable_type_function"):
        target = target or node.child_by_field_name(field)
    for field in ("value", "right", "rhs", "body"):
        value = value or node.child_by_field_name(field)
    if target is None and node.named_child_count:
        target = node.named_child(0)
    if value is None and node.named_child_count > 1:
        value = node.named_children[-1]
    return target, value


def _lisp(node: Node) -> Definition | None:
    parts = [c for c in node.children if c.type not in {"(", ")", "[", "]"} and "comment" not in c.type]
    if len(parts) < 2 or parts[0].text is None:  # noqa: PLR2004 - an operator and a name
        return None
    operator = parts[0].text[:_MOST_NAME_CHARS].decode("utf-8", "replace").strip("( ")
    if parts[0].type.endswith("header"):
        # commonlisp: (defun header), its name a field of the header
        name = _text(parts[0].child_by_field_name("function_name"))
        return Definition("function", name, strong=True) if name else None
    if not operator.lower().startswith(("def", "fn", "cl-def", "module", "struct")):
        return None
    name = _text(parts[1]).lstrip("([' ").split(" ", 1)[0].rstrip(")")
    kind = next((kind for word, kind in _LISP_KINDS if word in operator), "function")
    variable = operator in {"def", "defvar", "defconst", "defparameter", "defcustom", "defonce"}
    return Definition("variable" if variable else kind, name, strong=not variable) if name else None


def _elixir(node: Node) -> Definition | None:
    target = node.child_by_field_name("target")
    word = _text(target)
    if word not in _ELIXIR or node.named_child_count < 2:  # noqa: PLR2004 - the word and what it defines
        return None
    arguments = node.named_children[1]
    first = arguments.named_child(0) if arguments.named_child_count else None
    name = _text(first).split("(", 1)[0].split(" when ", 1)[0].strip()
    return Definition(_ELIXIR[word], name, strong=True) if name else None


def _test_call(node: Node) -> Definition | None:
    if _text(node.child_by_field_name("function")) not in _TEST_CALLS:
        return None
    arguments = node.child_by_field_name("arguments")
    first = arguments.named_child(0) if arguments is not None and arguments.named_child_count else None
    if first is None or "string" not in first.type:
        return None
    return Definition("test", _text(first).strip("`\"'"), strong=True)


def _block_name(node: Node) -> str:
    """Of a Terraform block: its labels."""
    labels = [_text(c).strip('"') for c in node.named_children if c.type in {"identifier", "string_lit"}]
    return ".".join(labels) if labels else ""
