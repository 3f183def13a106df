"""What a host has: its machines, what each is made of, and why one can't be backed up."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import drill_end, exports
from .domain import Domain, block_job
from .errors import LibvirtError, UsageError
from .folder import State
from .scratch import usable_bytes
from .standing import standing
from .virsh import Virsh

AT_ONCE = 8
_INFO_S = 60.0
_STATES = {"running": "running", "idle": "running", "shut off": "off", "paused": "paused"}


def survey(virsh: Virsh, request: dict[str, Any], state_root: str) -> dict[str, Any]:
    """Look at all machines; touches none, but ends a drill that died.

    Args:
        virsh: the host's libvirt.
        request: ``scratch``, the folder for what guests overwrite, or None for the agent's own.
        state_root: the agent's folder.

    Raises:
        LibvirtError: it can't be asked.
        UsageError: there is no such scratch folder.
    """
    state = State(state_root)
    drill_end.end_left(state, virsh)
    uuids = virsh.uuids() - {drill_end.drilled_now(state)}
    autostarting, persistent = virsh.uuids("--autostart"), virsh.uuids("--persistent")
    with ThreadPoolExecutor(AT_ONCE) as threads:
        seen = list(threads.map(lambda uuid: _seen(state, virsh, uuid), sorted(uuids)))
    machines = [
        {
            **machine,
            "autostart": machine["uuid"] in autostarting,
            "persistent": machine["uuid"] in persistent,
            "frozen": _frozen(state, machine["uuid"]),
        }
        for machine in seen
        if machine
    ]
    return {
        "host": socket.gethostname(),
        "libvirt": virsh.version(),
        "backup": virsh.images_running_machines(),
        "scratch": _room(request.get("scratch"), state_root),
        "machines": machines,
    }


def machine_of(state: State, virsh: Virsh, uuid: str) -> dict[str, Any]:
    """Look at one machine; what a freeze of ours left at it is no problem.

    Raises:
        LibvirtError: there is none of that UUID, or libvirt can't be asked.
    """
    definition, words = virsh.xml(uuid), virsh.state(uuid)
    on = words != "shut off"
    domain = Domain(definition, virsh.xml(uuid, inactive=False) if on else None)
    problems = list(domain.problems)
    if uuid not in virsh.uuids("--persistent"):
        problems.append("It has no definition of its own: once stopped, it would be gone (virsh define).")
    if on:
        problems += _jobs(state, virsh, domain)
    problems += [cut_off] if (cut_off := standing(state.of(uuid))) else []
    disks = []
    for disk in domain.disks:
        try:
            disks.append({**disk, **measured(disk)})
        except LibvirtError as error:
            problems.append(f"{disk['name']} ({disk['path']}) can't be read: {error}")
    return {
        "name": domain.name,
        "uuid": uuid,
        "state": _STATES.get(words, "other"),
        "disks": disks,
        "left_out": domain.left_out,
        "nvram": domain.nvram,
        "tpm": domain.tpm,
        "guest_agent": domain.guest_agent,
        "problems": list(dict.fromkeys(problems)),
    }


def _seen(state: State, virsh: Virsh, uuid: str) -> dict[str, Any] | None:
    try:
        return machine_of(state, virsh, uuid)
    except LibvirtError:
        if uuid in virsh.uuids():
            raise
        return None  # it went away just now


def measured(disk: dict[str, Any]) -> dict[str, Any]:
    """Give the chain of a disk, what the guest sees, and what it takes.

    Raises:
        LibvirtError: qemu-img can't read it.
    """
    words = ["qemu-img", "info", "--output=json", "--force-share", "--backing-chain", f"-f{disk['format']}"]
    try:
        done = subprocess.run([*words, "--", disk["path"]], capture_output=True, timeout=_INFO_S, check=False)
    except FileNotFoundError as error:
        raise LibvirtError("this host has no qemu-img (Debian: qemu-utils).") from error
    except subprocess.TimeoutExpired as error:
        raise LibvirtError(f"qemu-img didn't come back in {_INFO_S:.0f} s.") from error
    if done.returncode:
        raise LibvirtError(" ".join(done.stderr.decode(errors="replace").split()))
    return _of_chain(json.loads(done.stdout), disk["kind"])


def _of_chain(chain: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    if any(image.get("encrypted") for image in chain):
        raise LibvirtError("it is encrypted by QEMU, and its key is libvirt's.")
    seen = int(chain[0]["virtual-size"])
    taken = sum(int(image.get("actual-size", 0)) for image in chain)
    return {
        "chain": [image["filename"] for image in chain],
        "bytes": seen,
        "allocated": seen if kind == "block" else taken,  # a device doesn't tell what of it is used
    }


def _jobs(state: State, virsh: Virsh, domain: Domain) -> list[str]:
    """Say what somebody else is doing to a machine that runs."""
    if any(exports.is_served(virsh, domain.uuid, room) for room in state.of(domain.uuid).rooms()):
        return []
    problems = []
    with suppress(LibvirtError):  # a libvirt that can't tell will refuse by itself
        job = re.search(
            r"^Operation:\s*(.+?)\s*$", virsh.run("domjobinfo", f"--domain={domain.uuid}"), re.MULTILINE
        )
        problems += [f"libvirt is at work on it: {job[1]} (virsh domjobinfo)."] if job else []
        for disk in domain.disks:
            info = ["--info", "--raw", f"--path={disk['name']}"]
            if virsh.run("blockjob", f"--domain={domain.uuid}", *info):
                problems.append(block_job(disk["name"]))
    return problems


def _frozen(state: State, uuid: str) -> dict[str, Any] | None:
    entries = state.of(uuid).journal.entries()
    if not entries:
        return None
    began = state.of(uuid).journal.facts("begin")
    return {"run": began.get("run", ""), "since": entries[0]["at"], "step": entries[-1]["step"]}


def _room(scratch: str | None, state_root: str) -> dict[str, Any]:
    if scratch and not Path(scratch).is_dir():
        raise UsageError(
            f"This host has no folder {scratch}. Make it, or name another scratch folder in the site file."
        )
    folder = Path(scratch or state_root)
    while not folder.exists():  # the agent's own is made at the first freeze
        folder = folder.parent
    return {"path": str(folder), "free_bytes": usable_bytes(str(folder))}
