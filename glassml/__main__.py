"""Entry point of the command `glassml`, also as ``python -m glassml``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command; an interruption of its imports ends without a traceback."""
    try:
        from glassml.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing had begun\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
