"""What may not be read, by the command line, as a user whom permissions stop."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

from bad_input import command, write
from support import git, make_shop

LIMITED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--") if os.geteuid() == 0 else ()
"""Root reads everything: without these capabilities it, and the service it starts, is a user like any other."""


def test_what_may_not_be_read_is_counted_and_the_rest_is_found(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    write(shop, {"src/late.py": "def heron(): pass\n", "locked/new.py": "def wren(): pass\n"})
    first = json.loads(command("index", str(shop), "--tier=static", "--json", prefix=LIMITED).stdout)
    locked = [shop / "src/late.py", shop / "docs", shop / "locked"]
    (shop / "src/late.py").write_text("def heron():\n    return 1\n")
    for path in locked:
        path.chmod(0)
    try:
        done = command("index", str(shop), "--json", prefix=LIMITED)
        report = json.loads(done.stdout)
        # Git knows what is in a folder it tracks, and not what is in one that it may not look into.
        assert report["skipped"] == {"unreadable": 2}
        # By name it is found all the same.
        assert command("search", "late.py", "--root", str(shop), prefix=LIMITED).stdout.startswith("src/late.py:1-1")
        assert command("search", "RetryPolicy", "--root", str(shop), prefix=LIMITED).stdout.startswith("src/uploads.py")
        status = command("status", str(shop), prefix=LIMITED)
        assert "by name only or not at all: unreadable 2" in status.stdout
    finally:
        for path in locked:
            path.chmod(stat.S_IRWXU)
    again = json.loads(command("index", str(shop), "--json", prefix=LIMITED).stdout)
    assert again["skipped"] == {}
    assert first["chunks_total"] <= again["chunks"]
    assert command("search", "wren", "--root", str(shop), "--limit", "1").stdout.startswith("locked/new.py")


def test_a_root_and_a_git_folder_that_may_not_be_read_are_said(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    plain = write(tmp_path / "up/plain", {"a.py": "def wren(): pass\n"})
    index_file = shop / ".git/index"
    for locked, asked, code in (
        (plain.parent, plain, "path_missing"),
        (plain, plain, "path_missing"),
        (shop, shop, "path_missing"),
        (index_file, shop, "git_failed"),
    ):
        mode = locked.stat().st_mode
        locked.chmod(0)
        try:
            done = command("index", str(asked), prefix=LIMITED)
        finally:
            locked.chmod(mode)
        assert done.returncode == 2
        assert f"({code})\n  " in done.stderr
    git(shop, "status")


def test_a_repository_of_somebody_else_is_said_with_what_to_do(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    # What git itself asks, as nobody but root can give a folder away.
    (tmp_path / "bin").mkdir()
    program = shutil.which("git")
    script = f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec "{program}" "$@"\n'
    (tmp_path / "bin/git").write_text(script)
    (tmp_path / "bin/git").chmod(0o755)
    done = command("index", str(shop), prefix=("env", f"PATH={tmp_path}/bin:{os.environ['PATH']}"))
    assert done.returncode == 2
    assert "(git_failed)\n  it belongs to somebody else; if you trust it: git config --global --add safe" in done.stderr
