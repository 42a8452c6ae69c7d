"""What must be said before a library is imported, so that it keeps to this machine and this project's threads.

Importing this module says it; whatever imports torch, transformers, tokenizers or OpenVINO imports this first.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from auto_context.errors import AutoContextError

# The libraries read these once. Nothing may look anything up on a hub.
os.environ.update(
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    DO_NOT_TRACK="1",
    TOKENIZERS_PARALLELISM="false",
    TRANSFORMERS_VERBOSITY="error",
    # OpenMP spins at barriers by default: with another program on the same two cores one query took 480 ms, not 5.
    OMP_WAIT_POLICY=os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
)

OPENVINO_HINT = "install the extra: pip install 'auto-context[openvino]', or set backend and precision to auto"
_NATIVE_BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def import_openvino(*, converter: bool = False) -> Any:
    """The module ``openvino``, without its telemetry.

    ``import openvino`` imports its model converter, which reports to an analytics host through the package
    ``openvino_telemetry``. None in ``sys.modules`` makes that import fail, and OpenVINO then uses a stub of its own.
    The converter itself is kept out too unless asked for: 0.1 s less.

    Raises:
        AutoContextError: ``model_invalid`` when it is not installed.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # what the import system reads as "absent"
    if not converter:
        sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]  # as above
    try:
        import openvino  # noqa: PLC0415 - only where it was chosen
    except ImportError as error:
        message = f"the backend openvino cannot be imported: {error}"
        raise AutoContextError("model_invalid", message, OPENVINO_HINT) from error
    return openvino


def has_openvino() -> bool:
    """Whether it is installed; nothing is imported."""
    return importlib.util.find_spec("openvino") is not None


def version_of(package: str) -> str:
    """Its version by the name of its metadata folder: importlib.metadata costs 70 ms of import."""
    found = importlib.util.find_spec(package)
    for place in (found.submodule_search_locations if found else None) or ():
        for info in Path(place).parent.glob(f"{package}-*.dist-info"):
            return info.name.removeprefix(f"{package}-").removesuffix(".dist-info")
    return ""


def processor() -> str:
    """The processor's own name; empty where only another program would know."""
    for line in _cpuinfo().splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return ""


def native_bf16() -> bool:
    """Whether this processor multiplies bf16 itself; emulated, it is slower than fp32. Linux only: else False."""
    return not _NATIVE_BF16.isdisjoint(_cpuinfo().split())


def cores() -> int:
    """Processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return ""
