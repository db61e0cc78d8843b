"""``python -m instanseg_export`` is ``instanseg-export``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line; an interruption while its modules are still loading has the same words as a later one."""
    try:
        from .cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: nothing was written.\n")
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
