"""The remote plugin is no installed package: pynvim imports it by its path, and so do its tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "rplugin/python3"))
