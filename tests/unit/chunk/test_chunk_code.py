"""Definitions are found, named and kept whole, in many languages, by one set of rules."""

from __future__ import annotations

import pytest

from auto_context.chunk import chunk
from auto_context.types import Chunk

_COMMENTS = {"python": "#", "ruby": "#", "bash": "#", "r": "#", "lua": "--"}


def _filler(comment: str, lines: int) -> str:
    return "".join(f"    {comment} words that make this long enough to stand alone {n}\n" for n in range(lines))


def _grown(sample: str, language: str) -> str:
    """A sample with its ``~`` lines made long: one for a definition of its own, two for half of a class."""
    comment = _COMMENTS.get(language, "//")
    return sample.lstrip("\n").replace("~~\n", _filler(comment, 14)).replace("~\n", _filler(comment, 4))


_LONG_BODY, _LONG_BLOCK = _filler("#", 4), _filler("//", 4)

_SAMPLES = [
    (
        "python",
        """
def top(a):
~
    return a


class A:
    def one(self):
~~
        return 1

    async def two(self):
~~
        return 2
""",
        "top:function A.one:method A.two:method",
    ),
    (
        "lua",
        """
local M = {}

function M.open(a)
~
end

M.close = function()
~
end

local function helper()
~
end

function M:go()
~
end

return M
""",
        "M.open:function M.close:function helper:function M.go:function",
    ),
    (
        "javascript",
        """
export const fn = (a) => {
~
};

export default class Foo {
  one() {
~~
  }

  two = () => {
~~
  };
}

module.exports.q = function () {
~
};
""",
        "fn:function Foo.one:method Foo.two:method q:function",
    ),
    (
        "typescript",
        """
export interface Opt {
~
  a: string;
}

export type T = {
~
  x: number;
};

export enum E {
~
  A,
}

@Dec()
export class D {
~
  a = 1;
}
""",
        "Opt:interface T:type E:enum D:class",
    ),
    (
        "go",
        """
package main

func Run(a int) error {
~
\treturn nil
}

type S struct {
~
\ta int
}

type I interface {
~
\tA() int
}

func (s *S[T]) Do() {
~
}
""",
        "Run:function S:struct I:interface S.Do:method",
    ),
    (
        "rust",
        """
#[derive(Debug)]
pub struct S<T> {
~
    a: T,
}

impl<T> Tr for S<T> {
    fn one(&self) {
~~
    }

    fn two() {
~~
    }
}

trait Tr {
~
    fn a(&self);
}

enum E {
~
    A,
}
""",
        "S:struct S.one:method S.two:method Tr:trait E:enum",
    ),
    (
        "c",
        """
#ifndef H
#define H

static int *foo(int a)
{
~
    return 0;
}

struct s {
~
    int a;
};

enum e {
~
    A
};
#endif
""",
        "foo:function s:struct e:enum",
    ),
    (
        "cpp",
        """
class Foo {
 public:
  int one() {
~~
  }
  int two() {
~~
  }
};

int Foo::bar(int a) {
~
}

template <typename T>
T most(T a) {
~
}
""",
        "Foo.one:method Foo.two:method Foo.bar:method most:function",
    ),
    (
        "java",
        """
public class Foo {
  @Override
  public int one() {
~~
  }

  public int two() {
~~
  }
}

interface I {
~
  int a();
}
""",
        "Foo.one:method Foo.two:method I:interface",
    ),
    (
        "ruby",
        """
class Foo
  def one(a)
~~
  end

  def self.two
~~
  end
end

module M
~
  X = 1
end
""",
        "Foo.one:method Foo.two:method M:module",
    ),
    (
        "swift",
        """
struct St {
~
}

enum E {
~
  case a
}

func top() {
~
}

protocol P {
~
}
""",
        "St:struct E:enum top:function P:interface",
    ),
    (
        "kotlin",
        """
class Foo {
~
}

interface I {
~
}

fun top() {
~
}
""",
        "Foo:class I:interface top:function",
    ),
    (
        "php",
        """
<?php
function top() {
~
}

interface I {
~
}

trait T {
~
}
""",
        "top:function I:interface T:trait",
    ),
    (
        "bash",
        """
foo() {
~
    echo
}

function bar {
~
    echo
}
""",
        "foo:function bar:function",
    ),
    (
        "zig",
        """
pub fn go(a: u32) u32 {
~
    return a;
}

const S = struct {
~
    a: u32,
};
""",
        "go:function S:struct",
    ),
    (
        "r",
        """
go <- function(a) {
~
  a
}
""",
        "go:function",
    ),
]


def _named(text: str, language: str) -> set[str]:
    result = chunk(text, language)
    assert result.fallback == ""
    return {f"{found.symbol}:{found.kind}" for found in result.chunks}


def _at(chunks: list[Chunk], line: int) -> Chunk:
    return next(found for found in chunks if found.start_line <= line <= found.end_line)


@pytest.mark.parametrize(("language", "sample", "expected"), _SAMPLES, ids=[sample[0] for sample in _SAMPLES])
def test_definitions_have_kind_and_symbol(language: str, sample: str, expected: str) -> None:
    named = _named(_grown(sample, language), language)
    assert set(expected.split()) <= named


def test_comments_and_decorators_belong_to_the_definition_below() -> None:
    text = f"X = 1\nY = 2\n\n\n# Says what f is for.\n@cached\n@traced\ndef f(a):\n{_LONG_BODY}    return a\n"
    found = _at(chunk(text, "python").chunks, 9)
    assert (found.symbol, found.kind) == ("f", "function")
    assert found.start_line <= 5


def test_definitions_of_some_size_stay_apart() -> None:
    text = "\n\n".join(f"def f{n}(a):\n{_LONG_BODY}    return a\n" for n in range(6))
    chunks = chunk(text, "python").chunks
    assert [found.symbol for found in chunks] == [f"f{n}" for n in range(6)]


def test_tiny_neighbours_merge() -> None:
    text = "import os\nimport sys\n\nA = 1\nB = 2\n\n" + "\n\n".join(f"def f{n}():\n    return {n}\n" for n in range(4))
    assert len(chunk(text, "python").chunks) <= 3


def test_a_class_that_fits_stays_whole() -> None:
    text = "class Point:\n    x = 1\n\n    def up(self):\n        return self.x + 1\n"
    assert chunk(text, "python").chunks == [Chunk(1, 5, "class", "Point")]


def test_parts_of_a_large_function_keep_its_name() -> None:
    text = "def large(a):\n" + "".join(f"    a = a + {n}  # step number {n} of many\n" for n in range(200))
    chunks = chunk(text, "python").chunks
    assert len(chunks) > 4
    assert {found.symbol for found in chunks} == {"large"}


def test_no_definition_hides_in_a_wrapper_of_the_whole_file() -> None:
    guarded = f"#ifndef H\n#define H\nint f(int a)\n{{\n{_LONG_BLOCK}}}\n\nint g(int a)\n{{\n{_LONG_BLOCK}}}\n#endif\n"
    spaced = f"namespace n {{\nint f(int a)\n{{\n{_LONG_BLOCK}}}\n\nint g(int a)\n{{\n{_LONG_BLOCK}}}\n}}\n"
    for text in (guarded, spaced):
        names = {found.symbol.split(".")[-1] for found in chunk(text, "cpp").chunks}
        assert {"f", "g"} <= names


def test_line_ends_and_scripts_of_any_kind() -> None:
    body = "    # Größe, 大きさ, 🙂 и ещё немного слов чтобы стало длиннее\n" * 5
    text = f"def größe(a):\n{body}    return a\n\n\ndef 高さ(a):\n{body}    return a\n"
    for variant in (text, text.replace("\n", "\r\n"), "\ufeff" + text):
        chunks = chunk(variant, "python").chunks
        assert [(found.symbol, found.start_line) for found in chunks] == [("größe", 1), ("高さ", 10)]


def test_broken_code_still_shows_its_definitions() -> None:
    text = f"def f(a):\n{_LONG_BODY}    return a\n\n\ndef g(a:\n\n\ndef h(a):\n{_LONG_BODY}    return a\n"
    result = chunk(text, "python")
    assert result.fallback == ""
    assert "f" in {found.symbol for found in result.chunks}
