"""Symbols and imports of every language that has a tag query, each on a sample full of look-alikes.

A sample in ``tags/`` is code, then the expected symbols, ``name:kind:first-last``, then the expected imports.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tree_sitter import QueryCursor
from tree_sitter_language_pack import get_parser

import auto_context.chunk
from auto_context.chunk import chunk
from auto_context.chunk.tags import query_of

QUERIES = sorted(file.stem for file in (Path(auto_context.chunk.__file__).parent / "queries").glob("[!_]*.scm"))
SAMPLES = sorted(file.stem for file in (Path(__file__).parent / "tags").glob("*.txt"))


def _sample(language: str) -> tuple[str, list[str], list[str]]:
    content = (Path(__file__).parent / "tags" / f"{language}.txt").read_text("utf-8")
    text, _, expected = content.partition("==== symbols\n")
    symbols, _, imports = expected.partition("==== imports\n")
    return text, symbols.splitlines(), imports.splitlines()


@pytest.mark.parametrize("language", QUERIES)
def test_every_pattern_of_every_query_finds_something(language: str) -> None:
    query = query_of(language)
    assert query is not None
    # Grammars change under a pattern, which then compiles and finds nothing. TSX has the patterns of TypeScript.
    texts = [_sample(name)[0] for name in {language, "typescript" if language == "tsx" else language}]
    roots = [get_parser(language).parse(text.encode()).root_node for text in texts]  # type: ignore[arg-type]  # a file has its name
    used = {pattern for root in roots for pattern, _ in QueryCursor(query).matches(root)}
    assert used == set(range(query.pattern_count))


@pytest.mark.parametrize("language", SAMPLES)
def test_symbols_and_imports(language: str) -> None:
    text, symbols, imports = _sample(language)
    found = chunk(text, language)
    assert [f"{s.name}:{s.kind}:{s.start_line}-{s.end_line}" for s in found.symbols] == symbols
    assert found.imports == imports
    assert found.fallback == ""


@pytest.mark.parametrize("language", SAMPLES)
def test_chunks_are_called_what_the_symbols_are(language: str) -> None:
    found = chunk(_sample(language)[0], language, max_chars=60)
    names = {symbol.name for symbol in found.symbols}
    named = {item.symbol for item in found.chunks if item.kind not in {"block", "window", "paragraph", "impl"}}
    assert named <= names


def test_a_namespace_is_no_part_of_a_name() -> None:
    for language, text in (
        ("cpp", "namespace a::b {\nclass C {\n  void f() {\n  }\n};\n}\n"),
        ("csharp", "namespace A.B {\n  class C {\n    void f() {\n    }\n  }\n}\n"),
        ("php", "<?php\nnamespace A\\B;\nclass C {\n  function f() {\n  }\n}\n"),
        ("java", "package a.b;\nclass C {\n  void f() {\n  }\n}\n"),
    ):
        found = chunk(text, language, max_chars=40)
        assert [symbol.name for symbol in found.symbols] == ["C", "C.f"]
        assert {item.symbol for item in found.chunks} <= {"", "C", "C.f"}


def test_what_a_test_defines_is_not_called_by_its_name() -> None:
    line = "    const value = compute(something, another, more);\n"
    inside = f'it("adds", () => {{\n{line * 30}  }});\n  function helper() {{\n{line * 6}  }}\n'
    text = f'describe("cart", () => {{\n  {inside}}});\n'
    found = chunk(text, "javascript")
    assert [symbol.name for symbol in found.symbols] == ["helper"]
    assert {"cart.adds", "helper"} <= {item.symbol for item in found.chunks}


def test_small_definitions_in_one_chunk_are_all_symbols() -> None:
    found = chunk("class A:\n    def f(self): ...\n    def g(self): ...\n\ndef h(): ...\n\ndef k(): ...\n", "python")
    assert len(found.chunks) == 1
    assert [symbol.name for symbol in found.symbols] == ["A", "A.f", "A.g", "h", "k"]


def test_nested_and_wrapped_types_are_named_once() -> None:
    body = "    int value = compute(something, another, more, still_more);\n" * 12
    methods = f"  int f() {{\n{body}  }}\n  int g() {{\n{body}  }}\n"
    text = f"class Outer {{\n template <class T>\n class Inner {{\n{methods} }};\n}};\n"
    found = chunk(text, "cpp")
    assert (
        {"Outer.Inner.f", "Outer.Inner.g"} <= {item.symbol for item in found.chunks} <= {s.name for s in found.symbols}
    )


def test_a_name_may_be_the_whole_of_what_defines_it() -> None:
    found = chunk("typedef struct dir dir;\n", "c")
    assert found.fallback == ""
    assert [(symbol.name, symbol.kind) for symbol in found.symbols] == [("dir", "type")]


def test_a_file_of_many_lines_or_of_one_stays_within_time() -> None:
    texts = {
        "ten thousand lines": ("python", "".join(f"def f{n}(a):\n    return a\n" for n in range(5_000)), 5_000),
        "many methods": ("python", "class A:\n" + "".join(f"    def m{n}(self): ...\n" for n in range(9_999)), 10_000),
        "minified": ("javascript", "".join(f"var a{n}=function(){{return {n}}};" for n in range(10_000)), 10_000),
        "headings": ("markdown", "".join(f"# h{n}\n" for n in range(60_000)), 60_000),
        "flat": ("json", "{" + ",".join(f'"k{n}": 1' for n in range(20_000)) + "}", 20_000),
    }
    for name, (language, text, symbols) in texts.items():
        begin = time.thread_time()
        found = chunk(text, language, timeout_s=20)
        assert found.fallback == "", name
        assert len(found.symbols) == len({symbol.name for symbol in found.symbols}) == symbols, name
        assert time.thread_time() - begin < 20, name


def test_a_tree_as_deep_as_can_be_is_cut() -> None:
    for language, text in (
        ("python", "x = " + "(" * 20_000 + "1" + ")" * 20_000 + "\n"),
        ("json", "[" * 50_000 + "]" * 50_000),
        ("javascript", "function f(){" * 5_000 + "}" * 5_000),
        ("rust", "mod a { " * 3_000 + "}" * 3_000),
    ):
        found = chunk(text, language, timeout_s=20)
        assert found.chunks
        assert found.fallback in {"", "timeout"}


def test_the_deadline_holds_while_definitions_are_looked_for() -> None:
    text = "".join(f"var a{n}=function(){{return {n}}};" for n in range(20_000))
    begin = time.thread_time()
    assert chunk(text, "javascript", timeout_s=0.05).fallback == "timeout"
    assert time.thread_time() - begin < 3
