"""``python -m auto_context``."""

import sys

from auto_context.cli import main

sys.exit(main())
