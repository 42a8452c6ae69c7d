"""Updates, saves and searches at the same time, as editors and shells cause them."""

import threading
from collections.abc import Callable
from pathlib import Path

from auto_context.engine import Engine
from auto_context.types import SearchRequest

ROUNDS = 12


def until_stopped(
    work: Callable[[int], object], stop: threading.Event, errors: list[BaseException]
) -> Callable[[], None]:
    """Work again and again; the first error ends it."""

    def run() -> None:
        turn = 0
        while not stop.is_set():
            try:
                work(turn)
            except BaseException as error:  # noqa: BLE001 - the test shows it
                errors.append(error)
                return
            turn += 1

    return run


def test_updates_saves_and_searches_do_not_disturb_each_other(engine: Engine, shop: Path) -> None:
    for number in range(300):
        (shop / f"src/part_{number}.py").write_text(f"def part_{number}():\n    return {number}\n")
    engine.update(shop)
    errors: list[BaseException] = []
    stop = threading.Event()

    def save(turn: int) -> None:
        path = shop / f"src/part_{turn % 40}.py"
        path.write_text(f"def part_{turn % 40}():\n    return 'version {turn}'\n")
        engine.update_paths(shop, [str(path)])

    def search(turn: int) -> None:
        hits = engine.search(SearchRequest(f"part_{turn % 300}", str(shop), path="src/*")).hits
        assert hits

    threads = [threading.Thread(target=until_stopped(work, stop, errors)) for work in (save, search, search)]
    for thread in threads:
        thread.start()
    for _ in range(ROUNDS):
        engine.update(shop, force=True)
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    check(engine, shop)


def check(engine: Engine, shop: Path) -> None:
    """Every file is found as it is now."""
    assert engine.update(shop).pending_chunks == 0
    for number in range(40):
        text = (shop / f"src/part_{number}.py").read_text()
        reply = engine.search(SearchRequest(f"part_{number}", str(shop), path=f"src/part_{number}.py", wait_ms=60_000))
        assert reply.hits[0].text == text.rstrip("\n")
