"""The command line's beginning: ``auto-context`` and ``python -m auto_context``."""

import sys


def main() -> int:
    """Run the command line. An interruption while it is being loaded ends it as quietly as a later one."""
    try:
        from auto_context.cli import main as run  # noqa: PLC0415 - what is loaded here takes most of a command's start
    except KeyboardInterrupt:
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
