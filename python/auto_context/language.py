"""From a file's name, and its first line when the name says nothing, to the grammar that parses it. Pure data."""

from __future__ import annotations

import re

PROSE = frozenset({"markdown", "rst", "text", "org", "latex", "typst", "asciidoc"})
"""Languages made of sentences: long lines are normal there."""

_EXTENSIONS = {
    # the most common first, then by family
    "python": "py pyi pyw pyx pxd wsgi",
    "javascript": "js mjs cjs jsx es6 jsm",
    "typescript": "ts mts cts",
    "tsx": "tsx",
    "go": "go",
    "rust": "rs",
    "java": "java jav",
    "kotlin": "kt kts",
    "c": "c h",
    "cpp": "cpp cc cxx c++ hpp hh hxx h++ ipp inl tcc tpp cppm ixx",
    "cuda": "cu cuh",
    "objc": "m mm",
    "csharp": "cs csx",
    "swift": "swift",
    "ruby": "rb rake gemspec ru rbi podspec jbuilder thor",
    "php": "php php3 php4 php5 phtml",
    "lua": "lua rockspec",
    "luau": "luau",
    "bash": "sh bash zsh ksh bats ebuild eclass",
    "fish": "fish",
    "powershell": "ps1 psm1 psd1",
    "vim": "vim vimrc",
    "perl": "pl pm t pod psgi",
    "scala": "scala sc sbt",
    "groovy": "groovy gradle gvy jenkinsfile",
    "dart": "dart",
    "haskell": "hs hs-boot",
    "ocaml": "ml",
    "ocaml_interface": "mli",
    "fsharp": "fs fsx fsscript",
    "fsharp_signature": "fsi",
    "elixir": "ex exs",
    "heex": "heex leex",
    "erlang": "erl hrl escript",
    "clojure": "clj cljs cljc edn",
    "commonlisp": "lisp lsp cl asd",
    "elisp": "el",
    "scheme": "scm ss sld sls",
    "racket": "rkt rktd rktl",
    "fennel": "fnl",
    "janet": "janet jdn",
    "elm": "elm",
    "purescript": "purs",
    "gleam": "gleam",
    "nim": "nim nims nimble",
    "zig": "zig zon",
    "d": "d di",
    "v": "vv vsh",
    "odin": "odin",
    "hare": "ha",
    "haxe": "hx",
    "julia": "jl",
    "r": "r rprofile",
    "matlab": "matlab",
    "fortran": "f f77 f90 f95 f03 f08 for ftn",
    "cobol": "cob cbl cpy",
    "ada": "ada adb ads",
    "pascal": "pas dpr lpr",
    "tcl": "tcl tk",
    "squirrel": "nut",
    "pony": "pony",
    "agda": "agda",
    "actionscript": "as",
    "apex": "cls trigger apex",
    "solidity": "sol",
    "cairo": "cairo",
    "clarity": "clar",
    "func": "fc func",
    "gdscript": "gd",
    "hack": "hack hhi",
    "magik": "magik",
    "bsl": "bsl",
    "smali": "smali",
    "arduino": "ino pde",
    "glsl": "glsl vert frag geom tesc tese comp",
    "hlsl": "hlsl hlsli fx fxh",
    "wgsl": "wgsl",
    "ispc": "ispc",
    "llvm": "ll",
    "tablegen": "td",
    "asm": "asm s nasm",
    "wat": "wat",
    "wast": "wast",
    "verilog": "v sv svh vh",
    "vhdl": "vhd vhdl",
    "firrtl": "fir",
    "uxntal": "tal",
    "linkerscript": "ld lds",
    "starlark": "bzl star sky bazel",
    "cmake": "cmake",
    "make": "mk mak make",
    "meson": "wrap",
    "ninja": "ninja",
    "gn": "gn gni",
    "bitbake": "bb bbclass bbappend",
    "nix": "nix",
    "hcl": "hcl nomad",
    "terraform": "tf",
    "bicep": "bicep",
    "puppet": "pp puppet",
    "dockerfile": "dockerfile containerfile",
    "rego": "rego",
    "kconfig": "kconfig",
    "html": "html htm xhtml j2 jinja jinja2",
    "embeddedtemplate": "erb ejs",
    "twig": "twig",
    "vue": "vue",
    "svelte": "svelte",
    "astro": "astro",
    "css": "css",
    "scss": "scss",
    "xml": "xml xsd xsl xslt svg rss atom plist csproj vbproj fsproj props targets storyboard xib wsdl resx "
    "xaml ui qrc",
    "dtd": "dtd ent",
    "json": "json jsonc json5 geojson webmanifest ipynb avsc code-workspace sublime-project har",
    "jsonnet": "jsonnet libsonnet",
    "yaml": "yaml yml",
    "toml": "toml",
    "ini": "ini cfg conf cnf desktop service timer socket mount editorconfig gitconfig",
    "properties": "properties",
    "kdl": "kdl",
    "ron": "ron",
    "cpon": "cpon",
    "hyprlang": "hl",
    "yuck": "yuck",
    "csv": "csv",
    "tsv": "tsv tab",
    "psv": "psv",
    "po": "po pot",
    "sql": "sql ddl dml pgsql psql",
    "graphql": "graphql gql graphqls",
    "prisma": "prisma",
    "proto": "proto",
    "thrift": "thrift",
    "capnp": "capnp",
    "smithy": "smithy",
    "sparql": "sparql rq",
    "qmljs": "qml",
    "mermaid": "mmd mermaid",
    "beancount": "beancount",
    "bibtex": "bib",
    "latex": "tex sty ltx dtx",
    "typst": "typ",
    "markdown": "md markdown mdx mkd mdown mdwn rmd qmd livemd",
    "rst": "rst rest",
    "org": "org",
    "asciidoc": "adoc asciidoc",
    "text": "txt text log nfo",
    "re2c": "re2c",
    "pgn": "pgn",
    "ungrammar": "ungram",
    "chatito": "chatito",
    "doxygen": "dox",
    "netlinx": "axs axi",
    "nqc": "nqc",
}

_NAMES = {
    "make": "makefile gnumakefile bsdmakefile makefile.am makefile.in kbuild",
    "dockerfile": "dockerfile containerfile",
    "cmake": "cmakelists.txt",
    "meson": "meson.build meson_options.txt meson.options",
    "starlark": "build workspace module.bazel build.bazel workspace.bazel tiltfile buck",
    "ruby": "gemfile rakefile guardfile vagrantfile podfile fastfile appfile brewfile capfile berksfile dangerfile "
    ".irbrc",
    "groovy": "jenkinsfile",
    "bash": ".bashrc .bash_profile .bash_aliases .profile .zshrc .zshenv .zprofile .kshrc .envrc pkgbuild apkbuild",
    "vim": ".vimrc .gvimrc _vimrc .exrc",
    "gomod": "go.mod",
    "gosum": "go.sum",
    "toml": "cargo.lock poetry.lock uv.lock pdm.lock gopkg.lock pipfile",
    "json": "composer.lock pipfile.lock flake.lock .babelrc .eslintrc .prettierrc .swcrc .jshintrc .watchmanconfig",
    "yaml": ".clang-format .clang-tidy .clangd .yamllint pubspec.lock podfile.lock",
    "ini": ".editorconfig .gitconfig .gitmodules .flake8 .pylintrc .coveragerc .hgrc",
    "lua": ".luacheckrc .busted",
    "gitignore": ".gitignore .dockerignore .npmignore .eslintignore .prettierignore .ignore .fdignore .rgignore "
    ".autocontextignore .hgignore",
    "gitattributes": ".gitattributes",
    "gitcommit": "commit_editmsg",
    "requirements": "requirements.txt constraints.txt requirements-dev.txt requirements.in dev-requirements.txt",
    "pymanifest": "manifest.in",
    "kconfig": "kconfig",
    "readline": ".inputrc inputrc",
    "qmldir": "qmldir",
    "xcompose": ".xcompose",
    "hyprlang": "hyprland.conf hyprpaper.conf hypridle.conf hyprlock.conf",
    "elixir": "mix.lock",
    "text": "license licence copying notice authors contributors readme changelog changes todo news install codeowners "
    "maintainers version copyright thanks credits",
    "r": ".rprofile",
    "perl": "cpanfile makefile.pl",
    "python": "sconstruct sconscript snakefile wscript",
    "commonlisp": ".sbclrc",
    "jsonnet": "jsonnetfile",
    "gn": ".gn",
}

_INTERPRETERS = {
    "python": "python pypy uv",
    "bash": "sh bash zsh dash ksh ash bats",
    "fish": "fish",
    "javascript": "node nodejs bun",
    "typescript": "deno ts-node tsx",
    "ruby": "ruby jruby",
    "perl": "perl",
    "php": "php",
    "lua": "lua luajit texlua nvim",
    "luau": "luau lune",
    "tcl": "tclsh wish expect",
    "r": "rscript",
    "julia": "julia",
    "elixir": "elixir",
    "erlang": "escript",
    "groovy": "groovy",
    "scala": "scala",
    "kotlin": "kotlin",
    "swift": "swift",
    "haskell": "runghc runhaskell stack",
    "ocaml": "ocaml",
    "racket": "racket",
    "scheme": "guile chicken csi",
    "clojure": "clojure bb",
    "commonlisp": "sbcl",
    "powershell": "pwsh",
    "make": "make",
    "nix": "nix-shell",
    "dart": "dart",
    "nim": "nim",
    "go": "gorun",
    "rust": "rust-script",
    "janet": "janet",
    "fennel": "fennel",
}

_SHEBANG = re.compile(r"#!\s*(\S+)(.*)")
_MODELINE = re.compile(r"-\*-\s*(?:mode:\s*)?([\w+#-]+)\s*(?:;.*)?-\*-", re.IGNORECASE)


def _inverted(table: dict[str, str]) -> dict[str, str]:
    return {word: language for language, words in table.items() for word in words.split()}


_BY_EXTENSION, _BY_NAME, _BY_INTERPRETER = _inverted(_EXTENSIONS), _inverted(_NAMES), _inverted(_INTERPRETERS)
LANGUAGES = frozenset({*_EXTENSIONS, *_NAMES, *_INTERPRETERS})
"""Every name that ``language_of`` gives."""


def language_named(word: str) -> str:
    """The language that a person calls so, by its name or a file ending (``python``, ``py``); "" when there is none."""
    word = word.lower()
    return word if word in LANGUAGES else _BY_EXTENSION.get(word.removeprefix("."), "")


def language_of(path: str, first_line: str = "") -> str:
    """The tree-sitter-language-pack name of a file's language; also "text" for prose without syntax; "" if unknown.

    Args:
        path: only its last part counts, without regard to case.
        first_line: consulted (``#!``, ``-*- mode -*-``) when the name says nothing.
    """
    name = path.rpartition("/")[2].lower()
    known = _BY_NAME.get(name)
    if known:
        return known
    stem, *endings = name.split(".")
    # The longest known ending wins.
    for at in range(len(endings)):
        known = _BY_EXTENSION.get(".".join(endings[at:]))
        if known:
            return known
    if stem in {"dockerfile", "containerfile", "makefile", "jenkinsfile"}:
        return _BY_NAME[stem]
    return _of_first_line(first_line)


def _of_first_line(line: str) -> str:
    shebang = _SHEBANG.match(line)
    if shebang:
        words = [shebang[1], *shebang[2].split()]
        program = words.pop(0).rpartition("/")[2]
        if program == "env":
            program = next((word for word in words if not word.startswith("-") and "=" not in word), "")
        program = program.rpartition("/")[2].lower()
        return _BY_INTERPRETER.get(program) or _BY_INTERPRETER.get(program.rstrip("0123456789.-"), "")
    mode = _MODELINE.search(line)
    if mode:
        word = mode[1].lower()
        return {"c++": "cpp", "shell-script": "bash", "sh": "bash", "emacs-lisp": "elisp"}.get(word) or (
            word if word in _EXTENSIONS else ""
        )
    return "xml" if line.startswith("<?xml") else ""
