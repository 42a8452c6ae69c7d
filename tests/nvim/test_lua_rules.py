"""Rules about the Lua code itself: layers, one place for messages, sizes, and what the manual must name."""

import re
from pathlib import Path

import pytest

from auto_context.config import schema
from auto_context.errors import CODES
from harness import REPOSITORY, StartNeovim

LUA = REPOSITORY / "lua"
MANUAL = (REPOSITORY / "doc/auto_context.txt").read_text("utf-8")
FILES = sorted([*LUA.rglob("*.lua"), *(REPOSITORY / "plugin").glob("*.lua")])
IDS = [str(path.relative_to(REPOSITORY)) for path in FILES]

LAYERS = [
    {
        "types",
        "errors",
        "hit",
        "match",
        "folders",
        "progress",
        "markdown",
        "events",
        "context_highlight",
        "picker.keys",
    },
    {"log"},
    {"notify", "debounce", "ask", "task"},
    {"config"},
    {"environment", "icons"},
    {"host", "recipe"},
    {"rpc"},
    {"roots", "head"},
    {"repo"},
    {"buffers"},
    {"search"},
    {"index", "watch"},
    {"schedule", "install"},
    {"removal"},
    {
        "picker.layout",
        "picker.actions",
        "picker.preview",
        "picker.filters",
        "picker.history",
        "picker.marks",
        "blocking",
    },
    {"context_keys"},
    {"context_split"},
    {"context"},
    {
        "picker.explain",
        "picker.help",
        "picker.indexing",
        "picker.list",
        "picker.nearby",
        "picker.popup",
        "picker.texts",
    },
    {"picker.mouse", "picker.prompt", "picker.source", "picker.verbs", "picker.view", "picker.windows"},
    {"picker", "status_window", "health"},
    {"status"},
    {"integrations.feed", "integrations.answer"},
    {
        "integrations.telescope",
        "integrations.snacks",
        "integrations.fzf_lua",
        "integrations.mini_pick",
        "integrations.select",
    },
    {"integrations"},
    {"init", "command"},
    {"integrations.tool"},
    {"integrations.copilot_chat", "integrations.avante"},
]
"""From the bottom up. A module requires modules of lower layers only; ``init`` is the face that the command uses."""


def module_of(path: Path) -> str:
    name = ".".join(path.relative_to(LUA / "auto_context").with_suffix("").parts)
    return name.removesuffix(".init")


def required(path: Path) -> set[str]:
    found = re.findall(r"require\('auto_context(?:\.([\w.]+))?'\)", path.read_text("utf-8"))
    return {name or "init" for name in found}


def test_modules_require_only_what_is_below_them() -> None:
    rank = {name: level for level, names in enumerate(LAYERS) for name in names}
    ours = [path for path in FILES if (LUA / "auto_context") in path.parents]
    assert {module_of(path) for path in ours} == set(rank)
    for path in ours:
        name = module_of(path)
        above = {other for other in required(path) if rank[other] >= rank[name]}
        assert above <= ({"init"} if name == "command" else set()), f"{name} requires {above}"


def test_the_plugin_file_requires_nothing_at_load() -> None:
    text = (REPOSITORY / "plugin/auto_context.lua").read_text("utf-8")
    assert not re.findall(r"^(?:local .*= )?require", text, re.MULTILINE)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_only_one_module_shows_messages(path: Path) -> None:
    shows = re.findall(r"vim\.notify|nvim_echo|nvim_err_write|\bprint\(", path.read_text("utf-8"))
    assert not shows or path.name == "notify.lua"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_no_module_waits_for_another_process(path: Path) -> None:
    waits = r"vim\.rpcrequest|vim\.wait\b|vim\.fn\.system|:wait\(|io\.popen|jobwait|systemlist"
    # But for whoever runs a health check, and for a script that asks to wait: `vim.wait` alone lets Neovim go on.
    # And a few milliseconds for the root of a folder, nearly always there at once.
    found = set(re.findall(waits, path.read_text("utf-8")))
    waiting = path.name in ("blocking.lua", "roots.lua") and found == {"vim.wait"}
    assert not found or path.name == "health.lua" or waiting


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_files_and_functions_stay_small(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= 320
    started = 0
    for number, line in enumerate(lines):
        if re.match(r"(local )?function ", line):
            started = number
        elif line == "end":
            assert number - started <= 55, f"{path.name}:{started + 1}"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_functions_with_parameters_are_annotated(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        found = re.match(r"(?:local )?function [\w.:]+\(([^)]*)\)", line)
        if found and found[1] not in ("", "_"):
            assert lines[number - 1].startswith("---@"), f"{path.name}:{number + 1}: {line}"


def test_the_codes_are_those_of_python(start_nvim: StartNeovim, tmp_path: Path) -> None:
    levels = start_nvim(cwd=tmp_path).lua("return require('auto_context.errors').levels")
    assert levels == {code: row.level for code, row in CODES.items()}


def test_the_manual_lists_every_code_once_by_what_one_sees() -> None:
    errors = MANUAL.partition("*auto-context-errors*")[2]
    listed = re.findall(r"^  ([a-z_]+) +([EWI]) [A-Z`]", errors, re.MULTILINE)
    assert sorted(listed) == sorted((code, row.level[0].upper()) for code, row in CODES.items())


def test_the_manual_names_every_subcommand_key_and_highlight(start_nvim: StartNeovim, tmp_path: Path) -> None:
    child = start_nvim(cwd=tmp_path)
    for name in child.lua("return vim.tbl_keys(require('auto_context.command').subcommands)"):
        assert f":AutoContext {name}" in MANUAL
    listed = MANUAL.partition("*auto_context-keys*")[2].partition("*auto_context-settings*")[0]
    actions = child.lua("""
        local actions = require('auto_context.picker.keys').actions
        return vim.tbl_map(function(each) return { each.keys, each.text } end, actions)
    """)
    for name, (keys, text) in actions.items():
        entry = re.search(rf"^{name} +(.*(?:\n {{20}}.*)*)", listed, re.MULTILINE)
        assert entry, name
        words = entry[1].split()
        assert words[: len(keys)] == keys, name
        assert " ".join(words[len(keys) :]) == text, name
    for key, _ in child.lua("return require('auto_context.context_keys').help"):
        assert re.search(rf"^    {re.escape(key)} ", MANUAL.partition("*auto_context-context*")[2], re.MULTILINE), key
    child.lua("require('auto_context.context_highlight').groups()")
    child.lua("require('auto_context.picker.view').highlights()")
    child.lua("require('auto_context.status_window').highlights()")
    for group in child.lua("return vim.fn.getcompletion('AutoContext', 'highlight')"):
        assert re.search(rf"^{group} ", MANUAL, re.MULTILINE), group


def test_the_options_are_those_of_the_schema(start_nvim: StartNeovim, tmp_path: Path) -> None:
    kinds = {"text": "string", "whole number": "number", "number": "number", "switch": "boolean", "table": "table"}
    expected = {}
    for name, setting in schema().items():
        if "editor" not in setting.row.by:
            continue
        # What the file sets as well has no default here: without an option the file counts.
        default = None if "file" in setting.row.by else setting.default
        option = {"type": kinds[setting.kind], "whole": setting.kind == "whole number" or None, "default": default}
        option |= {"min": setting.row.low, "max": setting.row.high, "choices": list(setting.row.choices) or None}
        expected[name] = {key: value for key, value in option.items() if value is not None}
    assert start_nvim(cwd=tmp_path).lua("return require('auto_context.config').schema") == expected


def test_the_manual_has_a_tag_for_every_public_function(start_nvim: StartNeovim, tmp_path: Path) -> None:
    for name in start_nvim(cwd=tmp_path).lua("return vim.tbl_keys(require('auto_context'))"):
        assert f"*auto_context.{name}()*" in MANUAL
