"""A pull in a process of its own: one that can be killed, and whose memory can be measured."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from include.errors import BackupError
from include.machines.facts import Frozen
from include.machines.generation import Generations
from include.machines.pull import pull
from include.machines.served import Way
from include.transfer import connected
from include.vault import Vault
from tests.include.machine import environment
from tests.include.machines.held_disks import route


def begin(
    vault: Vault, frozen: Frozen, connection: dict[str, Any], command: str
) -> "subprocess.Popen[bytes]":
    """Begin to pull."""
    facts = {"frozen": frozen.model_dump(mode="json"), "connection": connection, "command": command}
    asked = json.dumps({**facts, "vault": str(vault.root)})
    program = [sys.executable, "-m", "tests.include.machines.pulling", asked]
    return subprocess.Popen(program, env=environment(), stdout=subprocess.PIPE)


def end(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """Wait for it, and give what it said: ``peak_bytes`` of memory, and ``error`` if there was one."""
    said, _ = process.communicate(timeout=120)
    told: dict[str, Any] = json.loads(said)
    return told


def peak_bytes() -> int:
    """Give the most memory that this process ever had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def _pull(vault: str, frozen: dict[str, Any], connection: dict[str, Any], command: str) -> str:
    try:
        with (
            Generations(Vault(Path(vault))).hold("maq1") as staged,
            connected(route(connection)) as config,
        ):
            pull(Way(config, command, Frozen.model_validate(frozen)), staged, None, lambda _: None)
    except BackupError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    trouble = _pull(**json.loads(sys.argv[1]))
    print(json.dumps({"error": trouble, "peak_bytes": peak_bytes()}))  # noqa: T201 - that's the answer
