"""A transfer in a process of its own, which can be killed and whose memory can be measured."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from include.errors import BackupError
from include.remote.ssh import connected
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.image_stream import ImageSource
from include.vms.models import BegunBackup
from include.vms.transfer import transfer
from tests.include.project_process import environment
from tests.include.vms.exported_disks import endpoint


def begin(
    vault: Vault, begun: BegunBackup, connection: dict[str, Any], command: str
) -> "subprocess.Popen[bytes]":
    """Start the transfer."""
    request = {"begun": begun.model_dump(mode="json"), "connection": connection, "command": command}
    arguments = json.dumps({**request, "vault": str(vault.root)})
    program = [sys.executable, "-m", "tests.include.vms.transfer_process", arguments]
    return subprocess.Popen(program, env=environment(), stdout=subprocess.PIPE)


def end(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """Wait for its end, and return its ``peak_bytes`` of memory and its ``error``, empty without one."""
    output, _ = process.communicate(timeout=120)
    result: dict[str, Any] = json.loads(output)
    return result


def peak_bytes(process: int | str = "self") -> int:
    """Return the peak memory of a process, in bytes."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def _transfer(vault: str, begun: dict[str, Any], connection: dict[str, Any], command: str) -> str:
    try:
        with (
            VmArchive(Vault(Path(vault))).lock("maq1") as staged,
            connected(endpoint(connection)) as config,
        ):
            transfer(
                ImageSource(config, command, BegunBackup.model_validate(begun)), staged, None, lambda _: None
            )
    except BackupError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    error_text = _transfer(**json.loads(sys.argv[1]))
    print(json.dumps({"error": error_text, "peak_bytes": peak_bytes()}))  # noqa: T201 - the result
