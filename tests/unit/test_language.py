"""Names of languages."""

import subprocess
import sys
from typing import get_args

import pytest
from tree_sitter_language_pack import SupportedLanguage

from auto_context import language
from auto_context.language import language_of

WITHOUT_GRAMMAR = {"text", "asciidoc"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.py", "python"),
        ("src/A.PY", "python"),
        ("x.tsx", "tsx"),
        ("x.d.ts", "typescript"),
        ("x.h", "c"),
        ("x.hpp", "cpp"),
        ("Makefile", "make"),
        ("sub/GNUmakefile", "make"),
        ("Dockerfile", "dockerfile"),
        ("Dockerfile.prod", "dockerfile"),
        ("CMakeLists.txt", "cmake"),
        ("go.mod", "gomod"),
        ("requirements.txt", "requirements"),
        ("notes.txt", "text"),
        ("README", "text"),
        ("README.md", "markdown"),
        ("main.tf", "terraform"),
        (".bashrc", "bash"),
        (".gitignore", "gitignore"),
        ("x.unknown", ""),
        ("py", ""),
        ("dir.py/x", ""),
        ("", ""),
        (".", ""),
    ],
)
def test_by_name(path: str, expected: str) -> None:
    assert language_of(path) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("#!/bin/sh", "bash"),
        ("#!/usr/bin/env python3.11", "python"),
        ("#!/usr/bin/env -S FOO=1 node --x", "javascript"),
        ("#! /usr/bin/perl -w\r", "perl"),
        ("#!/usr/bin/env", ""),
        ("#!", ""),
        ("// -*- mode: C++; tab-width: 2 -*-", "cpp"),
        ("# -*- python -*-", "python"),
        ("# -*- coding: utf-8 -*-", ""),
        ('<?xml version="1.0"?>', "xml"),
        ("plain", ""),
    ],
)
def test_by_first_line(line: str, expected: str) -> None:
    assert language_of("script", line) == expected
    assert language_of("script.go", line) == "go"


def test_every_name_is_one_of_the_pack() -> None:
    tables = (language._EXTENSIONS, language._NAMES, language._INTERPRETERS)
    names = {name for table in tables for name in table} | language.PROSE
    assert names - WITHOUT_GRAMMAR <= set(get_args(SupportedLanguage))


def test_no_word_names_two_languages() -> None:
    for table in (language._EXTENSIONS, language._NAMES, language._INTERPRETERS):
        words = [word for entry in table.values() for word in entry.split()]
        assert sorted(words) == sorted(set(words))
        assert all(word == word.lower() for word in words)


def test_source_imports_no_grammar() -> None:
    code = "import sys, auto_context.source; print([m for m in ('tree_sitter', 'numpy', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
