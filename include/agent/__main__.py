"""The agent as a program: its modules come compiled where they can, and its command line runs."""

from __future__ import annotations

import sys
from importlib import import_module

from include.agent import compiled


def main(arguments: list[str] | None = None) -> int:
    """Run a command, and return its exit status."""
    compiled.use(sys.argv[0])
    return int(import_module("include.agent.command_line").main(arguments))  # only now, or it'd be compiled


if __name__ == "__main__":
    sys.exit(main())
