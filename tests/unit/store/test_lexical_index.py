"""The lexical index: BM25 over prepared words, replaced by document, rebuilt when it is not ours."""

from pathlib import Path

from auto_context.store.lexical import LexicalChunk, LexicalIndex


def filled(folder: Path) -> LexicalIndex:
    index = LexicalIndex(folder, "")
    index.add(
        [
            (
                1,
                "src auth py",
                [LexicalChunk("verify the password of a user", "login", ""), LexicalChunk("logout", "logout", "")],
            ),
            (2, "src net py", [LexicalChunk("retry retries retrying uploads", "retrypolicy retry policy", "")]),
        ]
    )
    return index


def test_finds_by_body_symbol_and_path(tmp_path: Path) -> None:
    index = filled(tmp_path / "lexical")
    assert [hit[:2] for hit in index.search(["password"], "", 10)] == [(1, 0)]
    assert [hit[:2] for hit in index.search(["retrypolicy"], "", 10)] == [(2, 0)]
    assert {hit[0] for hit in index.search(["auth"], "", 10)} == {1}
    assert index.search(["absent"], "", 10) == []
    assert index.search([], "", 10) == []


def test_words_meet_in_their_stem(tmp_path: Path) -> None:
    assert [hit[0] for hit in filled(tmp_path / "lexical").search(["uploading"], "", 10)] == [2]


def test_a_word_being_typed_matches_by_its_beginning(tmp_path: Path) -> None:
    assert [hit[:2] for hit in filled(tmp_path / "lexical").search(["passw"], "passw", 10)] == [(1, 0)]


def test_adding_a_document_again_replaces_it(tmp_path: Path) -> None:
    index = filled(tmp_path / "lexical")
    index.add([(1, "src auth py", [LexicalChunk("entirely new", "", "")])])
    assert index.search(["password"], "", 10) == []
    assert [hit[:2] for hit in index.search(["entirely"], "", 10)] == [(1, 0)]


def test_offset_continues_where_the_first_answer_ended(tmp_path: Path) -> None:
    index = LexicalIndex(tmp_path / "lexical", "")
    index.add((n, "p", [LexicalChunk("word " * (n + 1), "", "")]) for n in range(20))
    whole = index.search(["word"], "", 20)
    assert index.search(["word"], "", 10) + index.search(["word"], "", 10, offset=10) == whole


def test_reopening_keeps_it_and_a_foreign_generation_rebuilds_it(tmp_path: Path) -> None:
    first = filled(tmp_path / "lexical")
    first.close()
    again = LexicalIndex(tmp_path / "lexical", first.generation)
    assert not again.rebuilt
    assert again.search(["password"], "", 10)
    again.close()
    foreign = LexicalIndex(tmp_path / "lexical", "another")
    assert foreign.rebuilt
    assert foreign.search(["password"], "", 10) == []


def test_a_damaged_index_is_made_again(tmp_path: Path) -> None:
    first = filled(tmp_path / "lexical")
    first.close()
    (tmp_path / "lexical" / "meta.json").write_text("{ not json", "utf-8")
    again = LexicalIndex(tmp_path / "lexical", first.generation)
    assert again.rebuilt
    assert again.generation != first.generation
    again.add([(9, "p", [LexicalChunk("fresh", "", "")])])
    assert [hit[0] for hit in again.search(["fresh"], "", 10)] == [9]


def test_names_are_found_whole(tmp_path: Path) -> None:
    index = LexicalIndex(tmp_path / "lexical", "")
    index.add(
        [
            (1, "cart py", [LexicalChunk("cart", "cart add item", "cart cart.add_item add_item")]),
            (2, "use py", [LexicalChunk("cart add_item", "main", "main")]),
        ]
    )
    assert [row[:2] for row in index.defining(["add_item"], 10)] == [(1, 0)]
    assert [row[:2] for row in index.defining(["Cart.add_item", "main"], 10)] in ([(1, 0), (2, 0)], [(2, 0), (1, 0)])
    assert index.defining(["add"], 10) == []
    assert index.defining([], 10) == []


def test_a_word_typed_wrongly_finds_what_was_meant(tmp_path: Path) -> None:
    index = filled(tmp_path / "lexical")
    assert [row[0] for row in index.search(["pasword"], "", 10)] == [1]
    assert [row[0] for row in index.search(["uplaod"], "", 10)] == [2]
    assert index.search(["pass"], "", 10) == [], "short words are not guessed at"
    assert index.search(["zebra"], "", 10) == []


def test_the_words_that_tell_a_text_apart(tmp_path: Path) -> None:
    index = LexicalIndex(tmp_path / "lexical", "")
    index.add((n, "p", [LexicalChunk("common " + ("rare " if n < 2 else "other "), "", "")]) for n in range(20))
    assert index.telling(["common", "rare", "once"], 5) == ["rare", "common"]
    assert index.telling([], 5) == []


def test_only_documents_that_may_be_there_are_looked_for(tmp_path: Path) -> None:
    index = filled(tmp_path / "lexical")
    again = [(1, "src auth py", [LexicalChunk("entirely new", "", "")])]
    index.add(again, replace={1})
    assert [index.search([word], "", 10) for word in ("password", "logout")] == [[], []]
    index.add(again, replace=())
    assert [hit[:2] for hit in index.search(["entirely"], "", 10)] == [(1, 0), (1, 0)], "it was said to be new"


def test_documents_are_removed(tmp_path: Path) -> None:
    index = LexicalIndex(tmp_path / "lexical", "")
    large = 2**60 - 1  # as document ids are
    index.add((doc, "p", [LexicalChunk("word", "", "")] * 2) for doc in (*range(1, 40), large))
    index.remove([*range(2, 40), large, 777])
    assert [hit[:2] for hit in index.search(["word"], "", 100)] == [(1, 0), (1, 1)]
    index.remove([])
    assert len(index.search(["word"], "", 100)) == 2


def test_a_released_writer_lets_another_process_write_and_is_taken_anew(tmp_path: Path) -> None:
    index = filled(tmp_path / "lexical")
    index.release()
    other = LexicalIndex(tmp_path / "lexical", index.generation)
    other.add([(3, "p", [LexicalChunk("elsewhere", "", "")])])
    other.close()
    index.add([(4, "p", [LexicalChunk("here", "", "")])])
    assert [hit[0] for hit in index.search(["elsewhere"], "", 10)] == [3]
    assert [hit[0] for hit in index.search(["here"], "", 10)] == [4]
    index.release()
    index.release()


def test_two_letters_are_completed_to_the_most_frequent_words(tmp_path: Path) -> None:
    index = LexicalIndex(tmp_path / "lexical", "")
    index.add((n, "p", [LexicalChunk(f"vector va{n:03}x", "", "")]) for n in range(40))
    assert len(index.search([], "ve", 100)) == 40
    for _ in range(2):
        assert {hit[0] for hit in index.search([], "va", 100)} == set(range(12)), "so many are tried"
        assert len(index.search(["vectro"], "", 100)) == 40, "which has the words of this letter listed"


def test_words_known_for_corrections_are_read_again_when_much_was_written(tmp_path: Path) -> None:
    index = LexicalIndex(tmp_path / "lexical", "")
    index.add((n, "p", [LexicalChunk("window", "", "")]) for n in range(200))
    assert len(index.search(["windwo"], "", 300)) == 200
    index.add([(900, "p", [LexicalChunk("wizard", "", "")])])
    assert index.search(["wizrad"], "", 10) == [], "one chunk in two hundred is not enough"
    assert [hit[0] for hit in index.search(["wizard"], "", 10)] == [900]
    index.add((n, "p", [LexicalChunk("other", "", "")]) for n in range(1000, 1010))
    assert [hit[0] for hit in index.search(["wizrad"], "", 10)] == [900]
