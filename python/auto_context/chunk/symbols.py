"""What a syntax node defines: its kind and its name, by rules that hold for most grammars, and a few that do not."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from tree_sitter import Node

from auto_context.chunk.kinds import (
    ASSIGNMENTS,
    LISP,
    LISP_LANGUAGES,
    WEAK,
    WRAPPERS,
    may_define,
    strong_kind,
)


class Definition(NamedTuple):
    """A node that gives something a name.

    ``strong`` ones deserve a chunk of their own; the others (variables, keys, rules) only name one they fill.
    """

    kind: str
    name: str
    strong: bool


_VALUE = re.compile(r"(function|lambda|closure|arrow|func_literal|fn_|anonymous_fun|^class$|class_expr)")
_NO_VALUE = re.compile(r"call|type|invocation|apply")
_IDENTIFIER = re.compile(
    r"(^|_)(identifier|name|symbol|constant|bareword|atom|variable|word|ident|IDENTIFIER|sym_lit|alias|"
    r"variable_name|selectors|dotted_key|bare_key|quoted_key|constructor|string|function_name|targets)$"
)
_NAME_FIELDS = ("name", "declarator", "key", "property", "pattern", "function", "left", "lhs", "attrpath", "head")
_INNER = re.compile(
    r"signature|declaration$|_head$|_binding$|object_reference|call_expression$|header|prototype|"
    r"declarator$|function_name|clause$|_statement$|module$|spec$|template_type|generic_type|user_type"
)
_LISP_KINDS = (
    ("macro", "macro"), ("protocol", "interface"), ("class", "class"), ("struct", "struct"), ("record", "struct"),
    ("type", "type"),
)  # fmt: skip
_MOST_NAME_CHARS = 80
_DEEPEST_NAME = 5
_GENERICS = re.compile(r"\s*<[^<>]*>|\s*\[[^\[\]]*\]")
_OPERATOR = re.compile(r"(?:^|\boperator\s*)[^\w\s\"'`]+$")
_EXPORTED = re.compile(r"^(?:module\.)?exports\.|\.prototype(?=\.)|^\$?this\.|^self\.")


def definition(node: Node, language: str) -> Definition | None:
    """What a node defines, None when nothing that is worth a name."""
    kind = node.type
    if not may_define(kind, language):
        return None
    if language in LISP_LANGUAGES and kind in LISP:
        return _lisp(node)
    if kind in ASSIGNMENTS:
        return _assignment(node)
    strong = strong_kind(kind)
    if strong and not (kind.endswith("_specifier") and node.child_by_field_name("body") is None):
        name = declared_name(node)
        return Definition(strong, name, strong=True) if name else None
    if kind in WEAK:
        name = _block_name(node) if kind == "block" else declared_name(node)
        return Definition(WEAK[kind], name, strong=False) if name else None
    return None


def wrapped(node: Node) -> Node | None:
    """The definition inside a wrapper: the child named so, else the last that could be one."""
    for field in ("declaration", "definition", "value"):
        child = node.child_by_field_name(field)
        if child is not None:
            return child
    candidates = [c for c in node.named_children if strong_kind(c.type) or c.type in ASSIGNMENTS or c.type in WRAPPERS]
    if candidates:
        return candidates[-1]
    return node.named_child(0) if node.named_child_count == 1 else None


def declared_name(node: Node, depth: int = 0) -> str:
    """The name that a declaration gives, looked for in its fields and then in its children; "" when there is none."""
    if depth > _DEEPEST_NAME:
        return ""
    for field in _NAME_FIELDS:
        child = node.child_by_field_name(field)
        if child is None:
            continue
        if field == "name" or _IDENTIFIER.search(child.type):
            return text_of(child)
        return declared_name(child, depth + 1) or text_of(child)
    children = node.named_children
    for child in children:
        if _IDENTIFIER.search(child.type):
            return text_of(child)
    for child in children:
        if _INNER.search(child.type):
            found = declared_name(child, depth + 1)
            if found:
                return found
    return ""


def text_of(node: Node | None) -> str:
    """A node's text as a name: one line, no generics, dots between its parts."""
    raw = None if node is None else node.text
    return "" if raw is None else _as_name(raw[: 4 * _MOST_NAME_CHARS])


@lru_cache(maxsize=4_096)  # the same few names again and again
def _as_name(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    if text.isascii() and text.isidentifier():
        return text[:_MOST_NAME_CHARS]
    text = text.split("\n", 1)[0].strip()
    operator = _OPERATOR.search(text)
    sign = operator[0] if operator else ""
    text = _GENERICS.sub("", _GENERICS.sub("", text.removesuffix(sign))).strip("\"'` ")
    text = _EXPORTED.sub("", text.replace("::", ".").replace("->", "."))
    if re.fullmatch(r"\w+:\w+", text):
        text = text.replace(":", ".")
    return (text + sign)[:_MOST_NAME_CHARS]


def _assignment(node: Node) -> Definition | None:
    """A name given to a function or a class is its definition; any other value is a variable."""
    target, value = _sides(node)
    if target is None:
        return None
    name = text_of(target).split("(", 1)[0].split(",", 1)[0].strip()
    if not name or not re.match(r"[\w$@.:\"'-]+$", name):
        return None
    inner = value
    while inner is not None and inner.named_child_count == 1 and inner.type == "expression_list":
        inner = inner.named_child(0)
    shape = inner.type if inner is not None else ""
    if target.type == "call_expression" or (_VALUE.search(shape) and not _NO_VALUE.search(shape)):
        kind = "class" if "lass" in shape else "function"
        return Definition(kind, name, strong=True)
    return Definition("variable", name, strong=False)


def _sides(node: Node) -> tuple[Node | None, Node | None]:
    if node.type in {"lexical_declaration", "variable_declaration", "let_statement"}:
        inner = next((c for c in node.named_children if c.type in ASSIGNMENTS), None)
        if inner is not None:
            return _sides(inner)
    target = value = None
    for field in ("name", "left", "lhs", "key", "property", "pattern"):
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
        name = text_of(parts[0].child_by_field_name("function_name"))
        return Definition("function", name, strong=True) if name else None
    if not operator.lower().startswith(("def", "fn", "cl-def", "module", "struct")):
        return None
    name = text_of(parts[1]).lstrip("([' ").split(" ", 1)[0].rstrip(")")
    kind = next((kind for word, kind in _LISP_KINDS if word in operator), "function")
    variable = operator in {"def", "defvar", "defconst", "defparameter", "defcustom", "defonce"}
    return Definition("variable" if variable else kind, name, strong=not variable) if name else None


def _block_name(node: Node) -> str:
    """Of a Terraform block: its labels."""
    labels = [text_of(c).strip('"') for c in node.named_children if c.type in {"identifier", "string_lit"}]
    return ".".join(labels) if labels else ""
