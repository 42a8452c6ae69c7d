"""The remote plugin as a process: crashes, restarts, an end without waiting."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from driving import children_of, clean_log, host_pid, index, open_picker, rows, wait_for_row
from harness import REPOSITORY, Child, StartNeovim
from sharing import shared_sandbox
from support import make_shop

sandbox = shared_sandbox()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, sandbox: dict[str, str]) -> Path:  # noqa: ARG001 - its order
    folder = make_shop(tmp_path_factory.mktemp("host") / "shop")
    index(folder)
    return folder


@pytest.fixture
def child(start_nvim: StartNeovim, shop: Path) -> Child:
    return start_nvim(cwd=shop, width=120, height=30)


def kill_host(child: Child) -> None:
    """Kill the remote plugin and wait until Neovim knows."""
    pid = child.wait_for(lambda: host_pid(child))
    os.kill(pid, signal.SIGKILL)
    child.wait_for(lambda: host_pid(child) != pid)


def test_it_is_a_host_in_the_plugins_own_environment(child: Child) -> None:
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    hosts = children_of(child)
    assert len(hosts) == 1  # the service is no child of the editor
    assert hosts[0].cmdline()[0] == sys.executable
    assert str(REPOSITORY / "rplugin/python3/auto_context_nvim") in hosts[0].cmdline()
    assert child.lua("return vim.fn['remote#host#IsRunning']('auto_context')") == 1
    clean_log(child)


def test_it_imports_nothing_heavy(child: Child) -> None:
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    mapped = {Path(item.path).name for item in children_of(child)[0].memory_maps()}
    assert not [name for name in mapped if any(word in name for word in ("torch", "faiss", "multiarray", "tantivy"))]


def test_a_killed_host_is_started_again_and_the_search_goes_on(child: Child) -> None:
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    kill_host(child)
    child.keys("<BS><BS>")
    wait_for_row(child, "src/uploads.py:")
    child.wait_for(lambda: host_pid(child))
    clean_log(child)


def test_a_request_in_flight_fails_with_a_code(child: Child, shop: Path) -> None:
    child.lua("require('auto_context').search('warm up', { wait_ms = 0 }, function() _G.warm = true end)")
    child.wait_for(lambda: child.lua("return _G.warm"))
    pid = host_pid(child)
    assert pid
    os.kill(pid, signal.SIGSTOP)
    child.lua("require('auto_context').search('x', { root = ... }, function(err) _G.err = err end)", str(shop))
    os.kill(pid, signal.SIGKILL)
    assert child.wait_for(lambda: child.lua("return _G.err"))["code"] == "host_failed"


def test_the_fourth_crash_in_a_minute_is_the_last(child: Child) -> None:
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    for _ in range(4):
        kill_host(child)
    child.wait_for(lambda: child.lua("return (require('auto_context.host').state())") == "failed")
    child.wait_for(lambda: ":AutoContext" in child.messages())
    assert child.messages().count("the remote plugin ended") == 1
    child.keys("x")
    child.wait_for(lambda: "several times in a minute" in "".join(rows(child)))
    child.keys("<Esc>")
    child.keys(":AutoContext search RetryPolicy<CR>")  # a person asks: it gets another try
    wait_for_row(child, "src/uploads.py:")


def test_an_interpreter_without_the_package_is_one_message(start_nvim: StartNeovim, shop: Path) -> None:
    broken = Path(os.environ["HOME"]) / "python"
    broken.write_text("#!/bin/sh\necho 'No module named pynvim' >&2\nexit 1\n")
    broken.chmod(0o755)
    child = start_nvim(cwd=shop, env={"AUTO_CONTEXT_PYTHON": str(broken)})
    open_picker(child, "x")
    child.wait_for(lambda: child.lua("return (require('auto_context.host').state())") == "failed")
    child.wait_for(lambda: "No module named pynvim" in "".join(rows(child)))
    child.wait_for(lambda: "the remote plugin ended" in child.messages())
    assert child.messages().count("the remote plugin ended") == 1


def test_a_killed_service_is_started_again(child: Child) -> None:
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    child.lua("""
        require('auto_context.rpc').request('status', { root = vim.fn.getcwd() }, function(_, status)
          _G.service = status.service.pid
        end)
    """)
    pid = child.wait_for(lambda: child.lua("return _G.service"))
    service = psutil.Process(pid)
    service.kill()
    child.wait_for(lambda: not service.is_running() or service.status() == psutil.STATUS_ZOMBIE)
    child.keys("<C-c>")
    child.keys(":AutoContext search upload_picture<CR>")
    wait_for_row(child, "src/uploads.py:")


def test_leaving_while_it_indexes_takes_no_time(start_nvim: StartNeovim, tmp_path: Path) -> None:
    source = "".join(f"def step_{number}(value):\n    return value * {number}\n\n\n" for number in range(40))
    folder = make_shop(tmp_path / "big")
    for number in range(300):
        (folder / f"module_{number}.py").write_text(f"# {number}\n{source}")
    child = start_nvim(cwd=folder)
    open_picker(child, "step")
    child.wait_for(lambda: child.lua("return require('auto_context.index').progress(...) ~= nil", str(folder)))
    hosts = children_of(child)
    assert child.lua("return require('auto_context.index').busy(...)", str(folder))
    child.keys("<C-c>")
    assert child.quit("qall") < 0.5
    _, left = psutil.wait_procs(hosts, timeout=2)
    assert left == []


def test_a_killed_editor_takes_its_host_along(child: Child) -> None:
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    hosts = children_of(child)
    os.kill(child.pid, signal.SIGKILL)
    _, left = psutil.wait_procs(hosts, timeout=5)
    assert left == []


def test_nothing_is_started_while_neovim_leaves(child: Child) -> None:
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    child.lua("""
        vim.api.nvim_create_autocmd('VimLeave', { callback = function()
          require('auto_context.rpc').request('status', { root = '/' }, function() end)
        end })
    """)
    assert child.quit("qall!") < 0.5


def test_what_comes_while_neovim_leaves_is_told_to_nobody(child: Child, tmp_path: Path) -> None:
    """0.10 handles what has come after it has unloaded every buffer, the open picker's too."""
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    log = Path(child.lua("return require('auto_context.log').path()"))
    told = tmp_path / "told"
    child.lua(
        """
        local path, root = ...
        local rpc = require('auto_context.rpc')
        local function note(word)
          vim.fn.writefile({ word }, path, 'a')
        end
        rpc.on('test', note)
        rpc._event('test', 'before')
        vim.api.nvim_create_autocmd('VimLeave', { callback = function()
          vim.schedule(function()
            note('leaving')
            rpc._event('test', 'after')
            rpc._event('progress', { root = root, kind = 'update', files_done = 1, files_total = 2 })
          end)
        end })
        """,
        str(told),
        child.lua("return vim.fn.getcwd()"),
    )
    child.quit("qall!")
    assert told.read_text().split() == ["before", "leaving"]
    assert "callback:" not in log.read_text()
