"""A type too large for one chunk begins with a chunk of its own; what introduces a definition stays with it."""

from __future__ import annotations

import pytest

from auto_context.chunk import chunk
from auto_context.types import Chunk

_BODY = "        do_something_here(with_argument, another_one);\n" * 9

_HEADS = """\
python | class A | # about⏎@deco⏎class A(B):⏎    "Doc."⏎    x: int = 1⏎ |     @p⏎    def m{n}(self):⏎{b} |
java | class A | /** It. */⏎@Entity⏎public class A {⏎    int x; |     /** m */⏎    @Get⏎    void m{n}() {⏎{b}    }⏎| }
rust | impl A | /// About⏎impl<T> A<T> { |     /// m⏎    #[inline]⏎    fn m{n}() {⏎{b}    }⏎ | }
rust | trait A | trait A { |     fn m{n}() {⏎{b}    }⏎ | }
javascript | class A | // about⏎export default class A extends B {⏎  x = 1 |   // m⏎  m{n}() {⏎{b}  }⏎ | }
typescript | class A | @Dec()⏎export class A { |   @In()⏎  m{n}(): void {⏎{b}  }⏎ | }
cpp | class A | // about⏎template <class T>⏎class A : B {⏎ public:⏎  int x; |   // m⏎  int m{n}() {⏎{b}  }⏎ | };
csharp | class A | /// about⏎[Attr]⏎class A {⏎  int x; |   /// m⏎  [In]⏎  void m{n}() {⏎{b}  }⏎ | }
ruby | class A | # about⏎class A < B⏎  attr_reader :x |   # m⏎  def m{n}⏎{b}  end⏎ | end
php | class A | <?php⏎class A { |   /** m */⏎  function m{n}() {⏎{b}  }⏎ | }
swift | impl A | extension A { |   func m{n}() -> Int {⏎{b}  }⏎ | }
kotlin | class A | class A { |   fun m{n}() {⏎{b}  }⏎ | }
elixir | module A | defmodule A do⏎  use C |   @doc "m"⏎  @spec m{n}(x) :: x⏎  def m{n}(x) do⏎{b}  end⏎ | end
zig | struct A | const A = struct {⏎    x: u8, |     /// m⏎    pub fn m{n}() void {⏎{b}    }⏎ | };
"""
"""Language, kind and symbol of the head, the head, a method, the end."""


@pytest.mark.parametrize("case", _HEADS.splitlines())
def test_a_large_type_has_a_head_of_its_own(case: str) -> None:
    language, named, *cells = case.split("|")
    head, method, end = (cell[1:].rstrip().replace("⏎", "\n") + "\n" for cell in cells)
    bodies = [method.replace("{n}", str(n)).replace("{b}", _BODY) for n in range(6)]
    first, *methods = chunk(head + "".join(bodies) + end.lstrip("\n"), language.strip()).chunks
    assert f"{first.kind} {first.symbol}" == named.strip()
    last = head.count("\n")
    assert (first.start_line, first.end_line) == (1, last)
    assert [found.symbol for found in methods] == [f"A.m{n}" for n in range(6)]
    assert [found.start_line for found in methods] == [last + 1 + n * bodies[0].count("\n") for n in range(6)]


def test_a_class_in_a_class_has_a_head_too() -> None:
    methods = "".join(f"    def m{n}\n{_BODY}    end\n\n" for n in range(6))
    found = chunk(f"module M\n  # about\n  class A < B\n    attr_reader :x\n{methods}  end\nend\n", "ruby")
    assert found.chunks[:2] == [Chunk(1, 1, "module", "M"), Chunk(2, 4, "class", "M.A")]


def test_a_namespace_goes_with_what_it_opens() -> None:
    function = f"export function f() {{\n{_BODY}}}\n"
    found = chunk(f"{function}namespace N {{\n{function}{function}}}\n", "typescript").chunks
    assert [item.start_line for item in found] == [1, 12, 24]


def test_a_comment_right_above_a_definition_belongs_to_it() -> None:
    function = f"def f(a):\n{_BODY}    return a\n"
    found = chunk(f"x = prepare_something_long(1, 2)\n# One.\n# Two.\n{function}", "python").chunks
    assert found[-1].start_line <= 2
    held = chunk(
        "".join(f"value_{n} = compute(something, {n})\n" for n in range(9)) + f"# One.\n# Two.\n{function}", "python"
    )
    assert [(item.start_line, item.symbol) for item in held.chunks] == [(1, ""), (10, "f")]


def test_a_comment_below_a_statement_belongs_to_it() -> None:
    statements = "".join(f"value_{n} = compute(something, {n})\n" for n in range(9))
    found = chunk(f"{statements}# That was all.\n\ndef f(a):\n{_BODY}    return a\n", "python").chunks
    assert [(item.start_line, item.symbol) for item in found] == [(1, ""), (12, "f")]
