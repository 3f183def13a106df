"""The timer on the host that keeps clones from filling its disks, whoever looks.

Copy-on-write takes new space for whatever a guest overwrites, weeks later, too, under fully allocated disks.
So systemd runs the agent every half a minute, after a reboot, too, for as long as there are clones: those of
an open backup, whose watchdog a reboot ends, and those of references. Where there is no systemd, no reference
outlives its run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from include.agent.backup import references, timer_runs, watchdog
from include.agent.backup.end import end_backup
from include.agent.durable_files import write_json, write_whole
from include.agent.errors import AgentError, LibvirtError
from include.agent.state_folder import StateFolder, VmFolder, locked, read_json
from include.agent.virsh import Virsh

KEPT_S = 21 * 86_400.0  # a reference that wasn't renewed for so long belongs to no weekly backup any more
MARK_BYTES, MARK_PART = 10 << 30, 10  # kept free: 10 GiB, or a tenth of the file system if that is less
_LOOKS = 20  # for paused guests, a second apart
_LOCK_S = 60.0
_SYSTEMD, _UNITS = Path("/run/systemd/system"), Path("/etc/systemd/system")
_ABOUT = "Removes clones of VM disks that INPE backup keeps, before they fill the disk"
_SERVICE = """\
[Unit]
Description={about}

[Service]
Type=oneshot
ExecStart={command}
"""
_TIMER = """\
[Unit]
Description={about}

[Timer]
OnActiveSec={every_s}
OnUnitInactiveSec={every_s}
AccuracySec=1

[Install]
WantedBy=timers.target
"""


def keep(state: StateFolder, virsh: Virsh, uuid: str, request: dict[str, Any]) -> dict[str, Any]:
    """Keep the clones of a published backup as the VM's reference, if the timer runs.

    Args:
        state: the agent's state folder.
        virsh: the host's libvirt.
        uuid: the VM's UUID.
        request: see :func:`references.keep`.

    Returns:
        ``kept``, and if it isn't, the ``reason`` as a phrase.
    """
    folder = state.of(uuid)
    if not folder.path.exists():
        return {"kept": False, "reason": "its backup isn't open any more"}
    with locked(state.references_lock, timeout_s=_LOCK_S) as is_alone:
        if not is_alone:  # the timer might end just now
            return {"kept": False, "reason": "references are being removed on its host"}
        with locked(folder.lock, timeout_s=_LOCK_S) as is_mine:
            if not is_mine:
                return {"kept": False, "reason": "it is being backed up"}
            reason = _refusal(state, virsh, folder) or references.keep(folder, request)
            if reason:
                references.note_refusal(folder, request["generation"], reason)
    return {"kept": not reason, "reason": reason}


def _refusal(state: StateFolder, virsh: Virsh, folder: VmFolder) -> str:
    if any(map(is_crowded, folder.clone_folders())):
        return "its file system has too little free space for a week's changes"
    try:
        return start(state, virsh)
    except OSError as error:
        return f"the timer that would remove it can't be set up: {error}"


def check(state: StateFolder, virsh: Virsh) -> None:
    """Remove the references that must go, and end the timer with the last one. This is all that it does."""
    timer_runs.note(state, timer_runs.RAN)
    with locked(state.references_lock, timeout_s=_LOCK_S) as is_mine:
        _end_orphans(state, virsh)
        dropped = [folder for folder in state.folders() if _check(folder, virsh)]
        if is_mine and not _is_needed(state):
            _stop(state, virsh)
    timer_runs.note(state, timer_runs.RAN)  # again: removing large clones takes minutes
    for _ in range(_LOOKS if dropped else 0):  # file systems free space in the background
        watchdog.resume_paused(virsh)
        time.sleep(1)


def _is_needed(state: StateFolder) -> bool:
    """Return whether there are clones, or may be in a moment: it is started before a backup makes some."""
    return any(
        folder.is_busy() or folder.clone_folders() or references.are_left(folder)
        for folder in state.folders()
    )


def _end_orphans(state: StateFolder, virsh: Virsh) -> None:
    """End backups whose watchdogs a reboot has ended: what guests overwrite would fill the disks unseen."""
    for folder in state.folders():
        if folder.clone_folders() and watchdog.is_orphaned(folder) and not folder.is_sending():
            with suppress(AgentError):  # it is being begun or ended; or libvirt is away, and asked again
                end_backup(state, virsh, folder.uuid, None, back_s=0)


def _check(folder: VmFolder, virsh: Virsh) -> bool:
    """Return whether a reference was dropped; whatever is wrong with it, the others are checked, too."""
    try:
        if references.folders(folder) and (why := _why_dropped(folder, virsh)):
            return references.drop(folder, why)  # first: on a full disk, nothing can be written
        references.remove_replaced(folder, forget_after_s=KEPT_S)
    except (OSError, ValueError, TypeError) as error:
        print(f"{folder.reference}: {error}", file=sys.stderr)  # noqa: T201 - for systemd's journal
    return False


def _why_dropped(folder: VmFolder, virsh: Virsh) -> str:
    if any(map(is_crowded, references.folders(folder))):
        return "its file system was nearly full"
    kept, time_now = read_json(folder.reference), time.time()
    renewed = float(kept.get("renewed", 0))
    if renewed > time_now:  # the clock was set back: three weeks from now on
        write_json(folder.reference, {**kept, "renewed": time_now})
    if time_now - renewed > KEPT_S:
        return "no backup of it was published for three weeks"
    with suppress(LibvirtError):
        if folder.uuid not in virsh.uuids():
            return "its VM is gone"
    return ""


def is_crowded(path: str) -> bool:
    """Return whether the file system of a folder has less free space than the mark."""
    try:
        found = os.statvfs(path)
    except OSError:
        return False  # it isn't there, nor is what it would take
    mark = min(MARK_BYTES, found.f_blocks * found.f_frsize // MARK_PART)
    return found.f_bavail * found.f_frsize < mark


def start(state: StateFolder, virsh: Virsh) -> str:
    """Have systemd run :func:`check`; return why it doesn't, as a phrase, or an empty text.

    Raises:
        OSError: its units can't be written.
    """
    if not _SYSTEMD.is_dir() or os.geteuid() != 0:
        return "without systemd, nothing on the host would remove it if its disk fills up"
    name = _unit(state, virsh)
    if _written(_UNITS / f"{name}.service", _service(state, virsh)) | _written(
        _UNITS / f"{name}.timer", _TIMER.format(about=_ABOUT, every_s=timer_runs.EVERY_S)
    ):
        _systemctl("daemon-reload")
    for words in (("enable", "--now"), ("is-enabled",), ("is-active",)):
        if failure := _systemctl(*words, f"{name}.timer"):
            return f"systemd doesn't run the timer that would remove it: {failure}"
    timer_runs.note(state, timer_runs.STARTED)
    return ""


def _stop(state: StateFolder, virsh: Virsh) -> None:
    name = _unit(state, virsh)
    if (_UNITS / f"{name}.timer").exists():
        _systemctl("disable", "--now", f"{name}.timer")
        for kind in ("timer", "service"):
            (_UNITS / f"{name}.{kind}").unlink()
        _systemctl("daemon-reload")


def _unit(state: StateFolder, virsh: Virsh) -> str:
    """Return the units' name: another one for another state folder, or another libvirt."""
    own = f"{virsh.uri} {state.root}".encode()
    return f"inpe-backup-references-{sha256(own).hexdigest()[:8]}"


def _service(state: StateFolder, virsh: Virsh) -> str:
    program = os.path.abspath(sys.argv[0])  # noqa: PTH100 - links stay
    words = [sys.executable, program, "--uri", virsh.uri, "--state", str(state.root), "watch-references"]
    return _SERVICE.format(about=_ABOUT, command=" ".join(map(_quoted, words)))


def _quoted(word: str) -> str:
    """Return a word as systemd reads it in a command line (systemd.service(5), systemd.syntax(7))."""
    for special in ("\\", '"'):
        word = word.replace(special, f"\\{special}")
    return '"{}"'.format(word.replace("%", "%%").replace("$", "$$"))


def _written(path: Path, content: str) -> bool:
    if path.exists() and path.read_text(encoding="utf-8") == content:
        return False
    write_whole(path, content.encode(), 0o644)
    return True


def _systemctl(*words: str) -> str:
    """Run systemctl; return its error, an empty text if it succeeded."""
    try:
        done = subprocess.run(["systemctl", "--quiet", *words], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return " ".join(done.stderr.split()) or f"exit status {done.returncode}" if done.returncode else ""
