"""``python -m auto_context.service``."""

import os
import sys

from auto_context.service.process import main

status = main()
sys.stderr.flush()
# Threads in native code must not hold the end up; everything is committed.
os._exit(status)
