"""Two tiers of vectors: searchable within seconds by the static one, precise behind by the transformer's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from auto_context.config import Settings
from auto_context.engine import Engine, Options
from auto_context.engine.work import LocalWorker
from auto_context.types import Progress, SearchReply, SearchRequest, SimilarRequest
from support import OpenEngine, git

STATIC = Options(tier="static")


def ask(engine: Engine, root: Path, query: str, wait_ms: int = 0, off: tuple[str, ...] = ()) -> SearchReply:
    return engine.search(SearchRequest(query, str(root), wait_ms=wait_ms, off=off))


def test_the_static_tier_alone_finds_by_meaning(engine: Engine, shop: Path) -> None:
    report = engine.update(shop, options=STATIC)
    assert report.embedded_chunks == 0
    assert report.pending_chunks == report.chunks > 10
    assert report.coverage == {"static": 1.0, "vector": 0.0}
    reply = ask(engine, shop, "retry uploads that failed", off=("lexical", "path"))
    assert reply.coverage == {"lexical": 1.0, "path": 1.0, "static": 1.0, "vector": 0.0}
    assert reply.legs == {"lexical": "off", "path": "off", "static": "ok", "vector": "empty"}
    assert reply.hits[0].path == "src/uploads.py"
    assert reply.hits[0].legs == ["static"]
    assert engine.status(shop).static_vectors == report.chunks


def test_the_transformer_follows_and_reads_nothing_again(engine: Engine, shop: Path) -> None:
    first = engine.update(shop, options=STATIC)
    second = engine.update(shop)
    assert (second.changed, second.embedded_chunks, second.pending_chunks) == (0, first.chunks, 0)
    assert second.tokens > first.chunks
    reply = ask(engine, shop, "retry uploads that failed", wait_ms=60_000)
    assert set(reply.legs.values()) == {"ok"}
    assert set(reply.coverage.values()) == {1.0}
    assert reply.hits[0].path == "src/uploads.py"


def test_results_turn_from_one_into_the_other_while_coverage_grows(engine: Engine, shop: Path) -> None:
    seen: list[tuple[Progress, SearchReply]] = []

    def look(progress: Progress) -> None:
        if progress.phase in {"embed", "done"}:
            seen.append((progress, ask(engine, shop, "retry uploads that failed", wait_ms=60_000)))

    engine.update(shop, options=Options(progress=look))
    assert len(seen) >= 2
    before, after = seen[0], seen[-1]
    assert before[0].coverage["static"] == after[0].coverage["static"] == 1.0
    assert (before[1].coverage["vector"], after[1].coverage["vector"]) == (0.0, 1.0)
    assert all(reply.hits[0].path == "src/uploads.py" for _, reply in seen)
    assert "static" in before[1].hits[0].legs
    assert "vector" not in before[1].hits[0].legs
    # What the transformer has seen it alone weighs: static vectors beside it did not make the order better.
    assert "vector" in after[1].hits[0].legs
    assert "static" not in after[1].hits[0].legs


def test_a_save_is_searchable_by_static_vectors_too(engine: Engine, shop: Path) -> None:
    engine.update(shop, options=STATIC)
    (shop / "src/weather.py").write_text("def forecast(city):\n    '''Will it rain tomorrow?'''\n    return 'rain'\n")
    report = engine.update_paths(shop, ["src/weather.py"])
    # Not the chunks that a whole update has not come to.
    assert report.embedded_chunks == 1
    assert ask(engine, shop, "rain forecast", off=("lexical", "path", "vector")).hits[0].path == "src/weather.py"


def test_a_rename_and_a_branch_make_static_vectors_of_paths_only(engine: Engine, shop: Path) -> None:
    engine.update(shop, options=STATIC)
    git(shop, "mv", "src/mail.py", "src/letters.py")
    git(shop, "commit", "-qam", "letters")
    report = engine.update(shop, options=STATIC)
    assert report.coverage["static"] == 1.0
    hits = ask(engine, shop, "order confirmation letter", off=("lexical", "path", "vector")).hits
    assert "src/letters.py" in [hit.path for hit in hits]
    assert "src/mail.py" not in [hit.path for hit in hits]


def test_similar_code_is_found_before_the_transformer_saw_any(engine: Engine, shop: Path) -> None:
    engine.update(shop, options=STATIC)
    reply = engine.similar(SimilarRequest(str(shop), "src/uploads.py", 1))
    assert reply.legs == {"lexical": "ok", "static": "ok", "vector": "empty"}
    assert reply.hits
    assert any("static" in hit.legs for hit in reply.hits)


@pytest.fixture
def fresh(tmp_path: Path, tiny_model: Path) -> Iterator[tuple[Settings, LocalWorker, Path]]:
    """A model of which this machine has made nothing ready yet."""
    settings, cache = Settings(model=str(tiny_model)), tmp_path / "cache"
    worker = LocalWorker(settings, cache)
    yield settings, worker, cache
    worker.close()


def test_words_answer_while_the_static_model_is_distilled(
    open_engine: OpenEngine, fresh: tuple[Settings, LocalWorker, Path], shop: Path
) -> None:
    settings, worker, cache = fresh
    engine = open_engine(settings, worker=worker, cache_dir=cache)
    meanwhile: list[SearchReply] = []

    def look(progress: Progress) -> None:
        if progress.phase == "static" and not meanwhile:
            meanwhile.append(ask(engine, shop, "RetryPolicy"))

    report = engine.update(shop, options=Options(progress=look, tier="static"))
    assert meanwhile[0].hits[0].path == "src/uploads.py"
    assert (meanwhile[0].legs["lexical"], meanwhile[0].legs["static"]) == ("ok", "empty")
    assert report.coverage["static"] == 1.0
    # Made once: the next engine finds it.
    again = open_engine(settings, worker=worker, cache_dir=cache)
    assert ask(again, shop, "upload retry").legs["static"] == "ok"


def test_a_static_model_made_elsewhere_is_taken_instead(
    open_engine: OpenEngine, tmp_path: Path, tiny_model: Path, shop: Path
) -> None:
    words = ["[UNK]", "retry", "upload", "uploads", "stock", "mail", "cart", "tax", "class", "def"]
    folder = tmp_path / "ready-made"
    folder.mkdir()
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token=words[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    vectors = np.random.default_rng(3).standard_normal((len(words), 16)).astype(np.float32)
    save_file({"embeddings": vectors}, folder / "model.safetensors")
    (folder / "config.json").write_text('{"normalize": true}')
    settings, cache = Settings(model=str(tiny_model), static_model=str(folder)), tmp_path / "cache"
    worker = LocalWorker(settings, cache)
    try:
        engine = open_engine(settings, worker=worker, cache_dir=cache)
        report = engine.update(shop, options=STATIC)
        assert report.coverage["static"] > 0.5
        assert not (cache / "static").exists()
        hits = ask(engine, shop, "retry upload", off=("lexical", "path", "vector")).hits
        assert hits[0].path == "src/uploads.py"
    finally:
        worker.close()
