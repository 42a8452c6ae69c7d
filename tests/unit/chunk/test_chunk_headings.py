"""Headings of every markup, and where exactly sections begin."""

from auto_context.chunk import chunk


def sections(text: str, language: str = "markdown") -> list[tuple[int, int, str]]:
    return [(c.start_line, c.end_line, c.symbol) for c in chunk(text, language).chunks]


def test_headings_and_their_path() -> None:
    text = "Before.\n\n# Guide\n\nWhat.\n\n## Install #\n\nHow.\n\n### On *Linux*\n\n"
    text += "A.\n\n#### Deep\n\nB.\n\n## [Use](x)\n\nC.\n"
    assert sections(text) == [
        (1, 2, ""),
        (3, 6, "Guide"),
        (7, 10, "Guide > Install"),
        (11, 18, "Guide > Install > On Linux"),
        (19, 21, "Guide > Use"),
    ]
    assert [c.kind for c in chunk(text, "markdown").chunks] == ["paragraph", *["heading"] * 4]


def test_a_heading_without_text_goes_with_the_next() -> None:
    assert sections("# Guide\n\n## Install\n\nHow.\n") == [(1, 5, "Guide > Install")]


def test_fences_and_front_matter_hold_no_headings() -> None:
    text = "---\ntitle: x\n# no\n---\n# One\n```sh\n# not a heading\n~~~\n````\n"
    text += "# still code? no: closed\n\n    # indented\n"
    assert [symbol for _, _, symbol in sections(text)] == ["", "One", "still code? no: closed"]
    nested = "# One\n\n````md\n```\n# not\n```\n````\n\ntext\n"
    assert [symbol for _, _, symbol in sections(nested)] == ["One"]


def test_other_markups() -> None:
    rst = "=====\nGuide\n=====\n\nWhat.\n\nInstall\n-------\n\nHow.\n"
    assert sections(rst, "rst") == [(1, 6, "Guide"), (7, 10, "Guide > Install")]
    assert [s for _, _, s in sections("* One\nText.\n** TODO Two :tag:\nText.\n", "org")] == ["One", "One > Two"]
    assert [s for _, _, s in sections("= One\nText.\n== Two\nText.\n", "asciidoc")] == ["One", "One > Two"]
    tex = "\\section{One}\nText.\n\\subsection*{Two}\nText.\n"
    assert [s for _, _, s in sections(tex, "latex")] == ["One", "One > Two"]


def test_carriage_returns_do_not_show() -> None:
    assert [s for _, _, s in sections("# One\r\n\r\ntext\r\n")] == ["One"]


def test_a_section_goes_on_to_the_next_heading_as_high() -> None:
    text = "# A\n## B\n#### C\n## D\n### E\n# F\n"
    found = [(s.name, s.start_line, s.end_line) for s in chunk(text, "markdown").symbols]
    assert found == [
        ("A", 1, 5),
        ("A > B", 2, 3),
        ("A > B > C", 3, 3),
        ("A > D", 4, 5),
        ("A > D > E", 5, 5),
        ("F", 6, 6),
    ]
