"""Steps in a process of its own, with mounts of its own or bound by file modes: commands, and restores.

A step is ``["run", ...]``, a command, or ``["restore", form]``; a form's ``fill`` is a path and a number of
bytes that somebody else writes there when rsync starts. Each restore is answered with what came of it.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from include.errors import BackupError
from include.vault import Vault
from tests.include.machine import python
from tests.include.restore.work import Work
from tests.include.worker import Fate

_HERE = "from tests.include.restore.steps import main; main()"


def take(work: Work, steps: Sequence[Sequence[Any]], prefix: list[str]) -> list[dict[str, Any]]:
    """Have steps taken; gives what came of each restore."""
    asked = {"vault": str(work.vault.root), "folder": work.folder, "reserve_bytes": work.reserve_bytes}
    answered = python(_HERE, json.dumps({**asked, "steps": steps}), prefix=prefix)
    return [json.loads(line) for line in answered.splitlines()]


def main() -> None:
    """Take the steps that the argument holds."""
    asked = json.loads(sys.argv[1])
    vault = Vault.open(Path(asked["vault"]))
    work = Work(vault, asked["folder"], reserve_bytes=asked["reserve_bytes"])
    for kind, *rest in asked["steps"]:
        if kind == "run":
            subprocess.run(rest, check=True)
        else:
            print(json.dumps(_restored(work, rest[0])), flush=True)  # noqa: T201 - its answer


def _restored(work: Work, form: dict[str, Any]) -> dict[str, Any]:
    if fill := form.pop("fill", None):
        sys.addaudithook(Fate("", fill=fill))
    try:
        item = work.restore(**form)
    except BackupError as error:
        return {"error": type(error).__name__, "message": str(error), **_around(work)}
    return {"error": "", "message": item.reason, **_around(work)}


def _around(work: Work) -> dict[str, Any]:
    return {"there": _there(work), "said": work.said}


def _there(work: Work) -> list[str]:
    folder = Path(work.folder)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
