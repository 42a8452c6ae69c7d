"""Symbols and imports of every language that has a tag query, each on a sample full of look-alikes."""

from __future__ import annotations

from pathlib import Path

import pytest

import auto_context.chunk
from auto_context.chunk import chunk
from auto_context.chunk.tags import query_of

QUERIES = sorted(file.stem for file in (Path(auto_context.chunk.__file__).parent / "queries").glob("*.scm"))

SAMPLES: dict[str, tuple[str, str, list[str]]] = {
    "python": (
        """\
import os.path, sys as s
from .a import b
from c.d import e
X = 1
@deco
def top(a):
    def inner(): pass
    return inner
class A(B):
    \"\"\"Doc.\"\"\"
    y = 2
    @property
    def p(self): return 1
    class In:
        async def q(self): pass
""",
        "top:function:6-8 top.inner:function:7-7 A:class:9-15 A.p:method:13-13 A.In:class:14-15 A.In.q:method:15-15",
        ["os.path", "sys", ".a", "c.d"],
    ),
    "lua": (
        """\
local M = {}
local x = require("a.b")
local y = require "c"
M.close = function()
 return 1
end
local f = function() end
function M:go() end
local function h() end
return M
""",
        "M.close:function:4-6 f:function:7-7 M.go:function:8-8 h:function:9-9",
        ["a.b", "c"],
    ),
    "javascript": (
        """\
import a from "./a.js";
const b = require("b");
export const f = async (x) => x;
const K = class { m() {} };
export default class C { static s() {} h = () => 1; get v() { return 1; } }
function* g() {}
module.exports.z = function () {};
const LIMIT = 3;
describe("cart", () => { it("adds", () => {}); });
""",
        (
            "b:variable:2-2 f:function:3-3 K:class:4-4 K.m:method:4-4 C:class:5-5 C.s:method:5-5 "
            "C.h:method:5-5 C.v:method:5-5 g:function:6-6 z:function:7-7 LIMIT:variable:8-8"
        ),
        ["./a.js", "b"],
    ),
    "typescript": (
        """\
import type { A } from "./a";
export interface I { a: string }
export type T = string;
export abstract class B { abstract n(): void; m(): void {} }
enum E { a }
export const f = (x: number): number => x;
namespace N { export function g() {} }
declare function d(): void;
""",
        (
            "I:interface:2-2 T:type:3-3 B:class:4-4 B.n:method:4-4 B.m:method:4-4 E:enum:5-5 f:function:6-6 "
            "g:function:7-7 d:function:8-8"
        ),
        ["./a"],
    ),
    "tsx": (
        """\
export const Card = ({ a }: P) => <div>{a}</div>;
export default function App() { return <Card/>; }
""",
        "Card:function:1-1 App:function:2-2",
        [],
    ),
    "go": (
        """\
package a
import (
  "fmt"
  x "a/b"
)
type S struct { a int }
type I interface { M() }
type F func(int)
func (s *S) M() {}
func (s S) N() {}
func (l *List[T]) P() {}
func Top() {}
const C = 1
var V = 2
type (
  A struct{}
  B int
)
""",
        (
            "S:struct:6-6 I:interface:7-7 F:type:8-8 S.M:method:9-9 S.N:method:10-10 List.P:method:11-11 "
            "Top:function:12-12 C:variable:13-13 V:variable:14-14 A:struct:16-16 B:type:17-17"
        ),
        ["fmt", "a/b"],
    ),
    "rust": (
        """\
use std::io::{self, Read};
mod m { pub fn f() {} }
pub struct S<T> { a: T }
impl<T> S<T> { pub fn new() -> Self { x } }
impl Display for S<u8> { fn fmt(&self) {} }
trait Tr { fn g(&self); fn d(&self) {} }
enum E { A }
type A = u8;
macro_rules! mm { () => {} }
const X: u8 = 1;
""",
        (
            "m:module:2-2 m.f:function:2-2 S:struct:3-3 S.new:method:4-4 S.fmt:method:5-5 Tr:trait:6-6 "
            "Tr.g:method:6-6 Tr.d:method:6-6 E:enum:7-7 A:type:8-8 mm:macro:9-9 X:variable:10-10"
        ),
        ["std::io::{self, Read}"],
    ),
    "c": (
        """\
#include <stdio.h>
#include "a.h"
int proto(int);
static int *f(int a) { return 0; }
struct s { int a; };
struct s g(void) { }
typedef struct { int b; } t;
enum e { A };
#define SQ(x) ((x)*(x))
#define N 3
""",
        "f:function:4-4 s:struct:5-5 g:function:6-6 t:type:7-7 e:enum:8-8 SQ:macro:9-9 N:variable:10-10",
        ["stdio.h", "a.h"],
    ),
    "cpp": (
        """\
#include <vector>
namespace n { class A : public B { public: A(); void f() const { } template <class T> T g(T t) { return t; } }; }
void n::A::h() { }
template <typename T> class V { };
A::~A() {}
using Z = int;
enum class E { a };
struct P { int x; };
""",
        (
            "A:class:2-2 A.f:method:2-2 A.g:method:2-2 n.A.h:method:3-3 V:class:4-4 A.~A:method:5-5 "
            "Z:type:6-6 E:enum:7-7 P:struct:8-8"
        ),
        ["vector"],
    ),
    "java": (
        """\
package a.b;
import java.util.List;
import static x.Y.z;
public class A<T> extends B { A() {} @Override public void f() {} static class In { void g() {} } }
interface I { void h(); }
enum E { X; void q() {} }
record R(int a) { R { } }
""",
        (
            "A:class:4-4 A:method:4-4 A.f:method:4-4 A.In:class:4-4 A.In.g:method:4-4 I:interface:5-5 "
            "I.h:method:5-5 E:enum:6-6 E.q:method:6-6 R:class:7-7 R:method:7-7"
        ),
        ["java.util.List", "x.Y.z"],
    ),
    "csharp": (
        """\
using System.Linq;
using X = Y.Z;
namespace N.M { public class A { public A() {} public int P { get { return 1; } } void F() {} }
interface I { void G(); } record R(int A);
struct S {} enum E { a } }
""",
        (
            "A:class:3-3 A:method:3-3 A.P:method:3-3 A.F:method:3-3 I:interface:4-4 I.G:method:4-4 "
            "R:class:4-4 S:struct:5-5 E:enum:5-5"
        ),
        ["System.Linq", "X", "Y.Z"],
    ),
    "ruby": (
        """\
require "json"
require_relative "a/b"
module M
  class A < B
    attr_reader :x
    def f; end
    def self.g; end
  end
end
""",
        "M:module:3-9 M.A:class:4-8 M.A.f:method:6-6 M.A.g:method:7-7",
        ["json", "a/b"],
    ),
    "php": (
        """\
<?php
namespace A\\B;
use C\\D as E;
require_once "x.php";
abstract class F extends G { use T; public function h() {} }
interface I {}
trait T { function j() {} }
function k() {}
""",
        "F:class:5-5 F.h:method:5-5 I:interface:6-6 T:trait:7-7 T.j:method:7-7 k:function:8-8",
        ["C\\D", "x.php"],
    ),
    "swift": (
        """\
import UIKit
class A {
  func f() {}
  init(x: Int) {}
}
extension A {
  func g() {}
}
protocol P { func h() }
struct S<T> { }
enum E { case a }
func top() {}
""",
        (
            "A:class:2-5 A.f:method:3-3 A.init:method:4-4 A.g:method:7-7 P:interface:9-9 P.h:method:9-9 "
            "S:struct:10-10 E:enum:11-11 top:function:12-12"
        ),
        ["UIKit"],
    ),
    "kotlin": (
        """\
import a.b.C
class A {
  fun f() {}
  companion object { fun c() {} }
}
interface I
object O { }
enum class E { X }
fun String.ext() {}
typealias T = Int
data class D(val x: Int)
""",
        (
            "A:class:2-5 A.f:method:3-3 A.c:method:4-4 I:interface:6-6 O:class:7-7 E:class:8-8 "
            "ext:function:9-9 T:type:10-10 D:class:11-11"
        ),
        ["a.b.C"],
    ),
    "scala": (
        """\
import a.b.{C, D}
object O { def f(x: Int): Int = x }
trait T { def g: Int }
case class K(a: Int)
class L { val v = 1 }
type Q = Int
""",
        "O:class:2-2 O.f:method:2-2 T:trait:3-3 T.g:method:3-3 K:class:4-4 L:class:5-5 Q:type:6-6",
        ["a.b.{C, D}"],
    ),
    "bash": (
        """\
source ./lib.sh
. other.sh
X=1
function f() { :; }
g() { echo hi; }
""",
        "X:variable:3-3 f:function:4-4 g:function:5-5",
        ["./lib.sh", "other.sh"],
    ),
    "zig": (
        """\
const std = @import("std");
const Foo = struct {
  x: u32,
  pub fn bar(self: Foo) void {}
};
fn top() void {}
test "adds" {}
const E = enum { a };
const N = 1;
""",
        "std:variable:1-1 Foo:struct:2-5 Foo.bar:method:4-4 top:function:6-6 E:struct:8-8 N:variable:9-9",
        ["std"],
    ),
    "elixir": (
        """\
defmodule Shop.Cart do
  alias Shop.Item
  import Enum
  def add(cart, item) when is_list(cart) do
    1
  end
  defp go(x), do: x
  defmacro m(x) do
 x
 end
  def none, do: 1
end
defprotocol P do
end
""",
        (
            "Shop.Cart:module:1-12 Shop.Cart.add:function:4-6 Shop.Cart.go:function:7-7 "
            "Shop.Cart.m:macro:8-10 Shop.Cart.none:function:11-11 P:interface:13-14"
        ),
        ["Shop.Item", "Enum"],
    ),
    "haskell": (
        """\
module M where
import Data.List (sort)
import qualified Data.Map as M
data T = A | B
newtype N = N Int
type S = String
class C a where
  foo :: a -> Int
instance C T where
  foo _ = 1
bar :: Int -> Int
bar 0 = 1
bar x = x
baz = 3
""",
        (
            "T:type:4-4 N:type:5-5 S:type:6-6 C:trait:7-8 C.foo:method:8-8 C.foo:method:10-10 "
            "bar:function:12-13 baz:function:14-14"
        ),
        ["Data.List", "Data.Map"],
    ),
    "ocaml": (
        """\
open List
module M = struct
  let f x = x
  type t = int
end
let rec g x = x
let v = 1
let h = fun x -> x
class c = object method m = 1 end
module type S = sig val x : int end
""",
        (
            "M:module:2-5 M.f:function:3-3 M.t:type:4-4 g:function:6-6 v:variable:7-7 h:function:8-8 "
            "c:class:9-9 S:interface:10-10"
        ),
        ["List"],
    ),
    "sql": (
        """\
CREATE TABLE shop.users (id int);
CREATE FUNCTION f(a int) RETURNS int AS $$ select 1 $$ LANGUAGE sql;
CREATE VIEW v AS SELECT 1;
CREATE INDEX i ON users (id);
""",
        "shop.users:table:1-1 f:function:2-2 v:table:3-3 i:table:4-4",
        [],
    ),
    "html": (
        """\
<html><head><script src="a.js"></script><link href="b.css"></head><body>
<div id="main" class="x"><p>hi</p></div></body></html>
""",
        "main:element:2-2",
        ["a.js", "b.css"],
    ),
    "css": (
        """\
@import "a.css";
@import url("b.css");
.card, #main { color: red }
@media (x) { .b { c: d } }
:root { --x: 1 }
@keyframes spin { }
""",
        ".card,_#main:rule:3-3 .b:rule:4-4 :root:rule:5-5 spin:rule:6-6",
        ["a.css", "b.css"],
    ),
    "yaml": (
        """\
a:
  b: 1
  c:
    d: 2
"q r": x
""",
        "a:key:1-4 a.b:key:2-2 a.c:key:3-4 q_r:key:5-5",
        [],
    ),
    "toml": (
        """\
top = 1
[tool.x]
a = 1
[[bin]]
name = "n"
""",
        "top:key:1-1 tool.x:section:2-3 tool.x.a:key:3-3 bin:section:4-5",
        [],
    ),
    "json": (
        """\
{"a": {"b": 1, "c": {"d": 2}}, "e": []}
""",
        "a:key:1-1 a.b:key:1-1 a.c:key:1-1 e:key:1-1",
        [],
    ),
    "markdown": (
        """\
# A

text

## B

more
""",
        "A:heading:1-7 A_>_B:heading:5-7",
        [],
    ),
    "dart": (
        """\
import "a.dart";
class A {
  void f() {
  }
}
int g() {
 return 1;
}
""",
        "A:class:2-5 g:function:6-6",
        [],
    ),
    "perl": (
        """\
package A;
use B;
sub f {
 1;
}
""",
        "f:function:3-5",
        [],
    ),
}
"""Text, then ``name:kind:first-last`` (spaces in a name as ``_``), then imports."""


@pytest.mark.parametrize("language", QUERIES)
def test_every_query_compiles_and_has_a_sample(language: str) -> None:
    assert query_of(language) is not None
    assert language in SAMPLES


@pytest.mark.parametrize("language", SAMPLES)
def test_symbols_and_imports(language: str) -> None:
    text, symbols, imports = SAMPLES[language]
    found = chunk(text, language)
    said = [f"{s.name.replace(' ', '_')}:{s.kind}:{s.start_line}-{s.end_line}" for s in found.symbols]
    assert said == symbols.split()
    assert found.imports == imports
    assert found.fallback == ""


def test_a_namespace_is_no_part_of_a_name() -> None:
    for language, text in (
        ("cpp", "namespace a::b {\nclass C {\n  void f() {\n  }\n};\n}\n"),
        ("csharp", "namespace A.B {\n  class C {\n    void f() {\n    }\n  }\n}\n"),
        ("php", "<?php\nnamespace A\\B;\nclass C {\n  function f() {\n  }\n}\n"),
    ):
        assert [symbol.name for symbol in chunk(text, language).symbols] == ["C", "C.f"]


def test_a_large_class_has_a_head_of_its_own() -> None:
    methods = "".join(
        f"    def method_{n}(self):\n" + "        value = compute(something, else_)\n" * 8 for n in range(9)
    )
    found = chunk(f"import a\n\n\n@dataclass\nclass Large(Base):\n{methods}", "python")
    head = next(item for item in found.chunks if item.symbol == "Large")
    assert head.kind == "class"
    assert head.start_line <= 5 <= head.end_line < 7
    assert next(item.symbol for item in found.chunks if item.symbol.startswith("Large.")) == "Large.method_0"


def test_the_head_has_the_docstring_and_the_fields() -> None:
    methods = "".join(
        f"    def method_{n}(self):\n" + "        value = compute(something, else_)\n" * 8 for n in range(9)
    )
    text = f'class Large:\n    """What it is for."""\n\n    limit = 3\n    names: list[str]\n\n{methods}'
    head = chunk(text, "python").chunks[0]
    assert (head.symbol, head.start_line, head.end_line) == ("Large", 1, 6)


def test_a_tree_as_deep_as_can_be_and_a_line_without_end_stay_within_time() -> None:
    for text, language in (
        ("x = " + "(" * 20_000 + "1" + ")" * 20_000 + "\n", "python"),
        ("[" * 50_000 + "]" * 50_000, "json"),
        ("function f(){" * 5_000 + "}" * 5_000, "javascript"),
        ("var a=function(){return 1};" * 30_000, "javascript"),
        ("def f(a):\n    return a\n" * 5_000, "python"),
    ):
        chunk(text, language, timeout_s=20)
