"""``python -m auto_context.config PROJECT``: writes the schema into the README and the manual."""

import sys
from pathlib import Path

from auto_context.config.render import write

if __name__ == "__main__":
    write(Path(sys.argv[1]))
