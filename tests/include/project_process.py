"""Run other processes of this project."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def python(script: str, *arguments: str, prefix: tuple[str, ...] | list[str] = ()) -> str:
    """Run a Python script in a process of its own, and return its output.

    Raises:
        AssertionError: the script failed; the message is its standard error.
    """
    done = subprocess.run(
        [*prefix, sys.executable, "-c", script, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment() -> dict[str, str]:
    """Return an environment in which another process finds this project."""
    return {**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'plugins'}"}
