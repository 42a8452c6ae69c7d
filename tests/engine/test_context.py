"""What one needs to work at a place."""

from __future__ import annotations

from pathlib import Path

import pytest

from auto_context import render
from auto_context.engine import Engine
from auto_context.errors import AutoContextError
from auto_context.types import ContextItem, ContextReply, ContextRequest
from support import git

FILES = {
    "shop/money.py": '''"""Money."""


class Price:
    """Cents and a currency."""

    def __init__(self, cents, currency):
        self.cents = cents
        self.currency = currency


def parse_price(text):
    """A price as people write it."""
    amount, currency = text.split()
    return Price(round(float(amount) * 100), currency)
''',
    "shop/other.py": '''def parse_price(text):
    """Of another kind, which nobody imports."""
    return text.strip()
''',
    "shop/cart.py": '''from shop.money import parse_price
from shop.log import note


class Cart:
    """What somebody means to buy."""

    def __init__(self):
        self.rows = []

    def add_row(self, name, text):
        price = parse_price(text)
        note(f"{name} for {price.cents}")
        self.rows.append((name, price))
''',
    "shop/log.py": '''def note(text):
    """Write a line into the log."""
    print(text)
''',
    "shop/basket_legacy.py": '''class OldCart:
    """What somebody meant to buy, once."""

    def add_row(self, name, cents):
        self.rows.append((name, cents))
''',
    "tests/test_cart.py": """from shop.cart import Cart


def test_a_row_is_added():
    cart = Cart()
    cart.add_row("tea", "2.50 EUR")
    assert cart.rows[0][1].cents == 250
""",
    "tests/test_money.py": """from shop.money import parse_price


def test_prices():
    assert parse_price("1.00 EUR").cents == 100
""",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("context") / "repository"
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


@pytest.fixture
def indexed(engine: Engine, repository: Path) -> Engine:
    engine.update(repository)
    return engine


def ask(engine: Engine, root: Path, place: str, **options: object) -> ContextReply:
    path, line, *column = place.split(":")
    if column:
        options["column"] = int(column[0])
    return engine.context(ContextRequest(str(root), path, int(line), **options))  # type: ignore[arg-type]  # passed on


def reasons(reply: ContextReply) -> dict[str, ContextItem]:
    return {item.reason: item for item in reply.items}


def test_the_place_comes_first_then_what_it_uses_and_what_tests_it(indexed: Engine, repository: Path) -> None:
    reply = ask(indexed, repository, "shop/cart.py:12")
    assert reply.items[0].reason == "here"
    assert reply.items[0].symbol == "Cart.add_row"
    found = reasons(reply)
    assert found["defines parse_price"].path == "shop/money.py", "the one that is imported, not its namesake"
    assert "def parse_price" in found["defines parse_price"].text
    assert found["defines note"].path == "shop/log.py"
    assert found["tests add_row"].path == "tests/test_cart.py"
    assert any(item.reason == "similar" for item in reply.items)


def test_nothing_is_said_twice(indexed: Engine, repository: Path) -> None:
    reply = ask(indexed, repository, "shop/cart.py:12", budget=20_000)
    lines = [(item.path, line) for item in reply.items for line in range(item.start_line, item.end_line + 1)]
    assert len(lines) == len(set(lines))
    assert all(item.text for item in reply.items)


@pytest.mark.parametrize("budget", [60, 150, 300, 1_000])
def test_it_stays_within_the_budget(indexed: Engine, repository: Path, budget: int) -> None:
    reply = ask(indexed, repository, "shop/cart.py:12", budget=budget)
    assert reply.exact
    assert sum(item.tokens for item in reply.items) == reply.tokens <= budget
    assert reply.items[0].reason == "here"


def test_the_tokens_are_those_of_the_markdown(indexed: Engine, repository: Path) -> None:
    from auto_context.embed.model import load_spec, locate_model  # noqa: PLC0415 - of this test alone
    from auto_context.embed.tokens import TokenCounter  # noqa: PLC0415

    reply = ask(indexed, repository, "shop/cart.py:12", budget=800)
    counter = TokenCounter(load_spec(locate_model("all-MiniLM-L6-v2"), repository.parent))
    whole = counter.count([render.context(reply.to_dict()["items"])])[0]
    assert abs(whole - reply.tokens) <= len(reply.items)


def test_the_name_under_the_cursor_counts_most(indexed: Engine, repository: Path) -> None:
    line = FILES["shop/cart.py"].split("\n")[11]
    column = line.index("parse_price") + 3
    reply = ask(indexed, repository, f"shop/cart.py:12:{column}", budget=200)
    assert [item.reason for item in reply.items][1] == "defines parse_price"


def test_a_place_outside_every_definition_is_its_chunk(indexed: Engine, repository: Path) -> None:
    reply = ask(indexed, repository, "shop/cart.py:1")
    assert reply.items[0].start_line == 1
    assert "parse_price" in {item.symbol for item in reply.items}


def test_an_edit_that_was_not_indexed_yet_is_seen(indexed: Engine, repository: Path) -> None:
    path = repository / "shop/cart.py"
    path.write_text(
        "# a line more\n" + FILES["shop/cart.py"].replace('note(f"', 'parse_price("1 EUR")\n        note(f"')
    )
    try:
        reply = ask(indexed, repository, "shop/cart.py:13")
        assert reply.items[0].symbol == "Cart.add_row"
        assert 'parse_price("1 EUR")' in reply.items[0].text
    finally:
        path.write_text(FILES["shop/cart.py"])


def test_what_changed_on_disk_is_not_shown_as_it_was(indexed: Engine, repository: Path) -> None:
    path = repository / "shop/log.py"
    path.write_text("def other():\n    pass\n")
    try:
        assert "defines note" not in reasons(ask(indexed, repository, "shop/cart.py:12"))
    finally:
        path.write_text(FILES["shop/log.py"])


@pytest.mark.parametrize(
    ("place", "code"),
    [("absent.py:1", "path_missing"), ("../x.py:1", "outside_root"), ("shop/cart.py:0", "bad_request")],
)
def test_what_is_no_place_is_refused(indexed: Engine, repository: Path, place: str, code: str) -> None:
    with pytest.raises(AutoContextError) as caught:
        ask(indexed, repository, place)
    assert caught.value.code == code


def test_a_fence_inside_does_not_end_the_snippet() -> None:
    item = {"path": "a.md", "start_line": 1, "end_line": 3, "symbol": "", "reason": "here", "language": "markdown"}
    text = render.snippet({**item, "text": "```\ncode\n```"})
    assert text == "### a.md:1-3 (here)\n\n````markdown\n```\ncode\n```\n````\n"
