from pathlib import Path

import pytest

from harness import REPOSITORY, Screen, StartNeovim


def test_the_screen_shows_what_is_typed_and_floats_above_it(start_nvim: StartNeovim, tmp_path: Path) -> None:
    child = start_nvim(cwd=tmp_path, width=60, height=12)
    child.keys("ihello 世界 <Tab>x<Esc>")
    child.wait_for(lambda: child.lines()[0].startswith("hello 世界"))
    child.lua("""
        local buffer = vim.api.nvim_create_buf(false, true)
        vim.api.nvim_buf_set_lines(buffer, 0, -1, false, { 'float' })
        vim.api.nvim_open_win(buffer, true, { relative = 'editor', row = 4, col = 10, width = 20, height = 1 })
    """)
    child.wait_for(lambda: child.lines()[4][10:15] == "float")
    assert len(child.lines()) == 12


def test_scrolling_and_resizing_keep_the_grid_right(start_nvim: StartNeovim, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("".join(f"line {number}\n" for number in range(1, 200)))
    child = start_nvim(cwd=tmp_path, width=40, height=12, files=("long.txt",))
    child.wait_for(lambda: child.lines()[0] == "line 1")
    child.keys("25<C-e>")
    child.wait_for(lambda: child.lines()[:3] == ["line 26", "line 27", "line 28"])
    child.keys("3<C-y>")
    child.wait_for(lambda: child.lines()[:3] == ["line 23", "line 24", "line 25"])
    child.resize(30, 6)
    child.wait_for(lambda: child.lines()[0].startswith("line"))
    assert len(child.lines()) == 6


def test_the_plugin_is_on_the_runtime_path_and_the_user_is_not(
    start_nvim: StartNeovim, tmp_path: Path, sandbox: dict[str, str]
) -> None:
    child = start_nvim(cwd=tmp_path)
    assert child.lua("return vim.o.runtimepath").split(",")[0] == str(REPOSITORY).replace(",", "\\,")
    assert child.lua("return vim.fn.stdpath('data')") == sandbox["XDG_DATA_HOME"] + "/nvim"
    assert child.lua("return vim.fn.getcwd()") == str(tmp_path.resolve())
    assert child.messages() == ""


def test_a_prompt_that_waits_for_a_key_is_reported_not_waited_for(start_nvim: StartNeovim, tmp_path: Path) -> None:
    child = start_nvim(cwd=tmp_path, height=10)
    child.keys(":echo 'one' | echo 'two' | echo 'three'<CR>")
    child.wait_for(lambda: child.blocked)
    with pytest.raises(AssertionError, match="waits for a key"):
        child.lua("return 1")
    child.keys("<CR>")
    child.wait_for(lambda: not child.blocked)
    assert child.lua("return select(2, ...)", 1, "two") == "two"


def test_a_wait_that_fails_shows_the_screen(start_nvim: StartNeovim, tmp_path: Path) -> None:
    child = start_nvim(cwd=tmp_path)
    child.keys("ivisible<Esc>")
    with pytest.raises(AssertionError, match=r"(?s)the impossible.*visible"):
        child.wait_for(lambda: False, timeout_s=0.2, what="the impossible")


def test_quit_and_close_end_the_process(start_nvim: StartNeovim, tmp_path: Path) -> None:
    first, second = start_nvim(cwd=tmp_path), start_nvim(cwd=tmp_path)
    assert first.quit() < 5
    assert not first.alive()
    second.keys(":echo 'one' | echo 'two' | echo 'three'<CR>")
    second.wait_for(lambda: second.blocked)
    second.close()
    second.close()
    assert not second.alive()


def test_notifications_other_than_redraws_are_kept(start_nvim: StartNeovim, tmp_path: Path) -> None:
    child = start_nvim(cwd=tmp_path)
    child.lua("vim.rpcnotify(..., 'hello', 1, { a = 2 })", child.nvim.channel_id)
    child.wait_for(lambda: ("hello", [1, {"a": 2}]) in child.notifications)


def test_repeated_and_wide_cells() -> None:
    screen = Screen(8, 1)
    screen.apply("grid_line", [1, 0, 0, [["a", 3], ["-", 4, 3], ["世"], [""], ["b"]], False])
    assert screen.lines() == ["a---世b"]
    assert [highlight for _, highlight in screen.cells[0][:5]] == [3, 4, 4, 4, 4]
