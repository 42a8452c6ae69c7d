"""What the plugin costs before it is used, its command, and its options. No service runs here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from driving import children_of, open_picker, pane, rows
from harness import REPOSITORY, Child, StartNeovim
from support import git

LOADED = "return vim.tbl_filter(function(name) return name:match('^auto_context') end, vim.tbl_keys(package.loaded))"


@pytest.fixture
def child(start_nvim: StartNeovim, tmp_path: Path) -> Child:
    return start_nvim(cwd=tmp_path)


def said(child: Child, text: str) -> None:
    child.wait_for(lambda: text in child.messages(), what=text)


def test_nothing_is_loaded_and_nothing_runs(child: Child) -> None:
    assert child.lua("return vim.fn.exists(':AutoContext')") == 2
    assert child.lua(LOADED) == []
    assert children_of(child) == []
    assert child.messages() == ""


def test_the_start_costs_less_than_a_millisecond(nvim_binary: Path, tmp_path: Path) -> None:
    costs = []
    for attempt in range(5):
        report = tmp_path / f"startup-{attempt}"
        path = str(REPOSITORY).replace("'", "''")
        command = f"let &runtimepath = '{path}'.','.&runtimepath"
        subprocess.run(
            [nvim_binary, "--headless", "--clean", "--cmd", command, "--startuptime", report, "+qall!"], check=True
        )
        found = re.search(r"(\d+\.\d+)\s+(\d+\.\d+): sourcing .*plugin/auto_context\.lua", report.read_text())
        assert found
        costs.append(float(found[2]))
    assert min(costs) < 1, costs


def test_a_save_without_any_index_starts_nothing(child: Child, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    child.command("edit a.txt | call setline(1, 'x') | write")
    assert (tmp_path / "a.txt").read_text() == "x\n"
    assert "auto_context.schedule" in child.lua(LOADED)
    assert "auto_context.picker" not in child.lua(LOADED)
    assert child.lua("return (require('auto_context.host').state())") == "stopped"
    assert children_of(child) == []


def test_completion(child: Child) -> None:
    def complete(line: str) -> list[str]:
        found: list[str] = child.lua("return vim.fn.getcompletion(..., 'cmdline')", line)
        return found

    assert complete("AutoContext ") == [
        "cancel", "clear", "context", "index", "install", "log", "resume", "search", "similar", "status", "stop",
        "uninstall",
    ]  # fmt: skip
    assert complete("AutoContext st") == ["status", "stop"]
    assert complete("AutoContext! in") == ["index", "install"]
    assert complete("AutoContext search so") == []


def test_an_unknown_subcommand_is_named_with_the_nearest(child: Child) -> None:
    child.command("AutoContext serch x")
    said(child, "unknown subcommand `serch`; did you mean `search`?")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("{ limt = 3 }", "unknown option `limt`; did you mean `limit`?"),
        ("{ zzzzzzzz = 3 }", "unknown option `zzzzzzzz`; known: "),
        ("{ limit = 'many' }", 'option `limit` must be a whole number from 1 to 200, not "many"'),
        ("{ limit = 2.5 }", "option `limit` must be a whole number from 1 to 200, not 2.5"),
        ("{ threshold = 0 / 0 }", "option `threshold` must be a number from 0 to 1, not "),
        ("{ width = 7 }", "option `width` must be a number from 0.1 to 1, not 7"),
        ("{ preview = 1 }", "option `preview` must be a boolean, not 1"),
        ("{ [1] = true }", "unknown option `1`"),
        ("'rounded'", "setup() must be a table, not a string"),
        ("function() error('mine') end", "mine"),
    ],
)
def test_a_bad_option_is_named_and_left_out(child: Child, options: str, expected: str) -> None:
    child.lua(f"require('auto_context').setup({options})")
    child.wait_for(lambda: child.blocked or expected in child.messages(), what=expected)
    if child.blocked:  # the list of known options is longer than the screen is wide
        assert expected in child.text()
        child.keys("<CR>")
        child.wait_for(lambda: not child.blocked)
    config = child.lua("return require('auto_context.config').get()")
    assert (config.get("limit"), config["width"], config["preview"]) == (None, 0.9, True)


def test_options_come_from_both_places_and_setup_wins(child: Child) -> None:
    child.lua("vim.g.auto_context = { limit = 5, debounce_ms = 7 }")
    child.lua("require('auto_context').setup({ limit = 6 })")
    config = child.lua("return require('auto_context.config').get()")
    assert (config["limit"], config["debounce_ms"]) == (6, 7)
    assert child.messages() == ""


def test_setup_loads_no_more_than_the_options(child: Child) -> None:
    child.lua("require('auto_context').setup({})")
    assert not {"auto_context.rpc", "auto_context.host", "auto_context.picker"} & set(child.lua(LOADED))


def test_a_missing_interpreter_is_said_in_the_picker(start_nvim: StartNeovim, tmp_path: Path) -> None:
    child = start_nvim(cwd=tmp_path, env={"AUTO_CONTEXT_PYTHON": str(tmp_path / "nowhere")})
    open_picker(child, "anything")
    child.wait_for(lambda: "is not an executable" in "".join(rows(child)))
    assert ":AutoContext install" in "".join(rows(child))
    assert child.lua("return select(2, require('auto_context.environment').python()).code") == "python_missing"


def test_the_plug_map_opens_the_picker(child: Child, tmp_path: Path) -> None:
    child.lua("vim.g.auto_context = { python = ... }", str(tmp_path / "nowhere"))
    child.keys(":nmap gs <lt>Plug>(AutoContext)<CR>gs")
    child.wait_for(lambda: pane(child, "prompt"))


def test_update_remote_plugins_finds_nothing_of_ours(start_nvim: StartNeovim, tmp_path: Path) -> None:
    manifest = tmp_path / "rplugin.vim"
    child = start_nvim(
        cwd=tmp_path,
        clean=False,  # a clean Neovim has no such command
        env={"NVIM_RPLUGIN_MANIFEST": str(manifest)},
        commands=(f"let g:python3_host_prog = '{sys.executable}'",),
    )
    child.keys(":silent UpdateRemotePlugins<CR>")
    child.wait_for(manifest.exists)
    assert "auto_context" not in manifest.read_text()


def test_a_fault_nobody_asked_for_is_shown_once_until_a_person_starts_anew(child: Child) -> None:
    notify = "require('auto_context.notify')"
    fault = f"{notify}.fault(require('auto_context.errors').new('git_failed', ...))"
    child.lua(fault, "git said no")
    child.lua(fault, "git said no")
    child.lua(fault, "git said never")
    said(child, "git said never")
    assert child.messages().count("git said no") == 1
    child.lua(f"{notify}.forget()")
    child.lua(fault, "git said no")
    child.wait_for(lambda: child.messages().count("git said no") == 2)
    child.lua(fault.replace("...)", "...), { asked = true }"), "git said no")
    child.wait_for(lambda: child.messages().count("git said no") == 3)


def test_news_that_is_longer_than_the_screen_stops_nobody(child: Child) -> None:
    child.lua("require('auto_context.notify').info('indexing ' .. ('/folder'):rep(60) .. '/end')")
    said(child, "auto-context: indexing /folder")
    assert "/end" in child.text()
    assert child.request("nvim_get_mode")["blocking"] is False
