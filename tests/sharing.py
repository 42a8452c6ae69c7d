"""One home and one service for all tests of a module, in place of one for each."""

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import sandboxed


def shared_sandbox() -> Any:
    """A module's own ``sandbox``: write ``sandbox = shared_sandbox()`` at its top."""

    @pytest.fixture(scope="module", autouse=True)
    def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
        with sandboxed(tmp_path_factory.mktemp("home")) as variables:
            yield variables

    return sandbox
