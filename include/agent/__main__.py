"""The agent as a program: it uses its compiled modules, and runs the command line."""

from __future__ import annotations

import sys
from importlib import import_module

from include.agent import compiled


def main(arguments: list[str] | None = None) -> int:
    """Run a command, and return its exit status."""
    compiled.use(sys.argv[0])
    return int(import_module("include.agent.command_line").main(arguments))  # after use()


if __name__ == "__main__":
    sys.exit(main())
