"""The cleanup of a boot test, whoever died: remove its domain, its work folder and its sockets.

``boot-test.json`` names them before they are made; ``boot-test.lock`` is locked while a boot test runs. A
watcher, a detached process, waits for that lock, as a backup's watchdog does. A reboot of the host ends the
watcher too; then the next call to the agent cleans up.
"""

from __future__ import annotations

import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from include.agent import detach
from include.agent.boot_test.definition import BootSubstitutes
from include.agent.durable_files import write_json
from include.agent.errors import BusyError, LibvirtError, NotPossibleError
from include.agent.state_folder import StateFolder, is_locked, locked, read_json
from include.agent.virsh import Virsh

POLL_S = 0.5
WATCHER_TIMEOUT_S = 20.0
LIBVIRT_PATIENCE_S = 20.0
_LOGS = Path("/var/log/libvirt/qemu")  # where libvirt writes QEMU's output


def begin(state: StateFolder, virsh: Virsh, substitutes: BootSubstitutes, sockets: list[str]) -> None:
    """Record what the boot test will make, make its work folder, and start its watcher.

    The caller holds the lock.
    """
    domain, folder = substitutes.name, substitutes.folder
    made = {"uuid": substitutes.uuid, "domain": domain, "folder": str(folder), "sockets": sockets}
    write_json(_record(state), made)
    folder.mkdir(mode=0o700)
    arguments = ["--uri", virsh.uri, "--state", str(state.root), "watch-boot-test", domain]
    detach.start(arguments, f"inpe-backup-{domain}", restart=True)


def require_watcher(folder: Path) -> None:
    """Wait until a boot test's watcher runs.

    Raises:
        NotPossibleError: it didn't start in time.
    """
    deadline = time.monotonic() + WATCHER_TIMEOUT_S
    while not is_locked(_watcher_lock(folder)):
        if time.monotonic() > deadline:
            raise NotPossibleError(
                f"The boot test's watcher, which would clean up after a crash, didn't start within "
                f"{WATCHER_TIMEOUT_S:.0f} s. Nothing was booted."
            )
        time.sleep(0.02)


def watch(state: StateFolder, virsh: Virsh, domain: str) -> None:
    """Clean up once the boot test's process is dead; return once nothing is left. Runs as the watcher."""
    folder = Path(read_json(_record(state)).get("folder", state.root / domain))
    with suppress(FileNotFoundError), locked(_watcher_lock(folder), timeout_s=0):
        while read_json(_record(state)).get("domain") == domain:
            with suppress(Exception):  # libvirtd may be away: nothing ends the watch
                end_abandoned(state, virsh)
            time.sleep(POLL_S)


def end_abandoned(state: StateFolder, virsh: Virsh) -> str | None:
    """Clean up after a boot test whose process is dead; return the domain's UUID of one that still runs.

    Raises:
        LibvirtError: its domain can't be ended.
    """
    record = read_json(_record(state))
    if is_locked(lock(state)):
        return str(record.get("uuid", "unknown"))
    if not lock(state).exists():  # no boot test ever ran here
        return None
    with locked(lock(state), timeout_s=0) as mine:
        if mine:
            end(state, virsh)
    return None


def require_no_boot_test(state: StateFolder, virsh: Virsh) -> None:
    """Check that no VM is boot-tested on this host: a backup and a boot test would compete for its memory.

    Raises:
        BusyError: one is.
    """
    if end_abandoned(state, virsh):
        raise BusyError("A VM is being boot-tested on this host. Backups wait until that is done.")


def boot_test_domain(state: StateFolder) -> str | None:
    """Return the UUID of the boot test's domain, also of one that wasn't cleaned up yet; None without one."""
    return read_json(_record(state)).get("uuid")


def end(state: StateFolder, virsh: Virsh) -> None:
    """Remove what the recorded boot test made. The caller holds the lock.

    Raises:
        LibvirtError: its domain can't be ended, or libvirt is away; the record stays.
    """
    record = read_json(_record(state))
    if record:
        for _ in range(2):  # virsh outlives its caller, and may create the domain after the first pass
            _destroy(virsh, str(record["uuid"]))
            _remove(state, record)
        _record(state).unlink(missing_ok=True)
    for path in state.root.glob("boot-test-*.sock"):
        if not _answers(path):
            path.unlink(missing_ok=True)


def end_in_time(state: StateFolder, virsh: Virsh) -> None:
    """Do the same, waiting for a libvirt that is away for a moment; after that the watcher continues.

    Raises:
        LibvirtError: it's away for longer.
    """
    deadline = time.monotonic() + LIBVIRT_PATIENCE_S
    while True:
        try:
            return end(state, virsh)
        except LibvirtError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)


def lock(state: StateFolder) -> Path:
    """Return the lock file of the host's boot test."""
    return state.root / "boot-test.lock"


def _remove(state: StateFolder, record: dict[str, Any]) -> None:
    folder = Path(str(record["folder"]))
    if folder.name == record["domain"] and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
        (_LOGS / f"{folder.name}.log").unlink(missing_ok=True)
    for name in record.get("sockets", []):
        if name == Path(name).name:
            (state.root / name).unlink(missing_ok=True)


def _destroy(virsh: Virsh, domain: str) -> None:
    if domain in virsh.uuids():
        with suppress(LibvirtError):  # it may just have ended by itself
            virsh.run("destroy", f"--domain={domain}")
        if domain in virsh.uuids():
            by_hand = f"virsh -c {virsh.uri} destroy {domain}"
            raise LibvirtError(f"The boot test's domain {domain} doesn't end. End it: {by_hand}")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.settimeout(1)
        client.connect(str(path))
        return True
    return False


def _record(state: StateFolder) -> Path:
    return state.root / "boot-test.json"


def _watcher_lock(folder: Path) -> Path:
    return folder / "watched"
