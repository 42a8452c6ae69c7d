"""Set-up and the two commands: ``bootstrap.py demo|test|lint|bench|setup|nvim [argument]``.

Runs under any Python 3 it may meet, so this file keeps to old syntax; the rest of this folder needs 3.11.
A fault is one line, ``setup: CODE: what happened``, and exit status 2.
"""

import os
import shutil
import sys

OLDEST = (3, 11)
NEWER = ("python3.13", "python3.12", "python3.11", "python3.14")


def main() -> int:
    """Find a new enough Python, then hand over to ``commands``."""
    if sys.version_info < OLDEST:
        for name in NEWER:
            other = shutil.which(name)
            if other:
                os.execv(other, [other, *sys.argv])
        found = f"{sys.version_info[0]}.{sys.version_info[1]}"
        sys.stderr.write(f"setup: python_too_old: Python 3.11 or newer is needed, this is {found}\n")
        return 2
    sys.dont_write_bytecode = True
    import commands  # noqa: PLC0415 - newer syntax than this file's

    return commands.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
