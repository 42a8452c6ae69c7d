"""What kind of query it is."""

import pytest

from auto_context.rank.intent import intent_of


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("RetryPolicy", "symbol"),
        ("retry", "symbol"),
        ("foo_bar", "symbol"),
        ("a.b.c", "symbol"),
        ("Foo::bar", "symbol"),
        ("obj->field", "symbol"),
        ("main()", "symbol"),
        ("valid?", "symbol"),
        ("retry.py", "path"),
        ("Cargo.lock", "path"),
        ("init.LUA", "path"),
        ("src/auth", "path"),
        ("src/auth/*.py", "path"),
        ("*.lua", "path"),
        ("where do we retry failed uploads", "prose"),
        ("auth flow", "prose"),
        ("where is RetryPolicy used", "mixed"),
        ("fix foo_bar", "mixed"),
        ("retry.py:42", "path"),
        ("main.c", "path"),
        ("https://host/a/b", "mixed"),
        ("if (x == 1) {", "code"),
        ("def load(path, *, strict=False):", "code"),
        ("self.total = sum(item.price for item in items)", "code"),
        ("const x = await fetch(url);", "code"),
        ('  File "app/x.py", line 42, in handler', "code"),
        ("    at Shop.pay (lib/shop.js:10:5)", "code"),
        ("ValueError: not a number", "code"),
        ("items[0].price(x)", "code"),
        ("self._cookies = cookies", "code"),
        ("class hierarchy (base)", "prose"),
        ("what does (this) do, really", "prose"),
        ("return the first one", "prose"),
        ("who reads src/auth.py", "mixed"),
        ("???", "mixed"),
    ],
)
def test_kind(query: str, kind: str) -> None:
    assert intent_of(query).kind == kind


def test_weights_follow_the_kind() -> None:
    assert intent_of("retry.py").weight("path") > intent_of("retry.py").weight("vector")
    prose = intent_of("how are passwords checked")
    assert prose.weight("vector") > prose.weight("lexical") > prose.weight("path")
