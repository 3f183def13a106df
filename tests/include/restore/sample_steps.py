"""Run commands and restores in a process with its own mounts, or as a user who is bound by file modes.

A step is ``["run", ...]``, a command, or ``["restore", form]``. A form's ``fill`` is a path, and the number
of bytes that are written there when rsync starts. Each restore prints its result as a line of JSON.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from include.errors import BackupError
from include.vault.vault import Vault
from tests.include.days.worker import Fate
from tests.include.project_process import python
from tests.include.restore.day_restores import Work

_HERE = "from tests.include.restore.sample_steps import main; main()"


def take(work: Work, steps: Sequence[Sequence[Any]], prefix: list[str]) -> list[dict[str, Any]]:
    """Run the steps in another process; return the result of each restore."""
    arguments = {"vault": str(work.vault.root), "folder": work.folder, "reserve_bytes": work.reserve_bytes}
    output = python(_HERE, json.dumps({**arguments, "steps": steps}), prefix=prefix)
    return [json.loads(line) for line in output.splitlines()]


def main() -> None:
    """Run the steps of the command line's argument."""
    arguments = json.loads(sys.argv[1])
    vault = Vault.open(Path(arguments["vault"]))
    work = Work(vault, arguments["folder"], reserve_bytes=arguments["reserve_bytes"])
    for kind, *rest in arguments["steps"]:
        if kind == "run":
            subprocess.run(rest, check=True)
        else:
            print(json.dumps(_restored(work, rest[0])), flush=True)  # noqa: T201 - its result


def _restored(work: Work, form: dict[str, Any]) -> dict[str, Any]:
    if fill := form.pop("fill", None):
        sys.addaudithook(Fate("", fill=fill))
    try:
        item = work.restore(**form)
    except BackupError as error:
        return {"error": type(error).__name__, "message": str(error), **_around(work)}
    return {"error": "", "message": item.reason, **_around(work)}


def _around(work: Work) -> dict[str, Any]:
    return {"there": _there(work), "log_lines": work.log_lines}


def _there(work: Work) -> list[str]:
    folder = Path(work.folder)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
