"""The agent's command line, for programs and for a person at a terminal."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from contextlib import nullcontext
from typing import Any

from include.agent import help_texts
from include.agent.backup import job, offline, reference_timer, references
from include.agent.backup.end import end_backup
from include.agent.backup.send import DiskExport, OpenExports, send
from include.agent.backup.watchdog_process import watch
from include.agent.boot_test import cleanup
from include.agent.boot_test.boot import Caller, boot_test
from include.agent.errors import AgentError, NoOpenBackupError, UsageError, error_json
from include.agent.heartbeat import heartbeat
from include.agent.restore.receive import receive
from include.agent.restore.status import describe_unfinished
from include.agent.restore.swap import check, swap
from include.agent.state_folder import StateFolder, VmFolder, locked, read_json
from include.agent.survey import survey
from include.agent.virsh import Virsh
from include.agent.watched_input import WatchedInput

STATE = "/var/lib/inpe-backup"
_LOCK_S = 2.0
_WITH_HEARTBEAT = (
    "survey",
    "begin-backup",
    "end-backup",
    "boot-test",
    "check-restore",
    "swap",
    "keep-reference",
)
_SCRATCH_FULL = """\
The guest wrote so much during the backup that the host's scratch space was full (of clones: the disks' \
file system). It was ended, so that the guest isn't paused. Free space, or name another scratch folder."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command, and return its exit status."""
    given = _parser().parse_args(arguments)
    state, virsh = StateFolder(os.path.abspath(given.state)), Virsh(given.uri)  # noqa: PTH100 - links stay
    try:
        with heartbeat(threading.Lock()) if given.heartbeat else nullcontext():
            return int(given.do(state, virsh, given))
    except AgentError as error:
        _print(error_json(error))
        return error.status
    except OSError as error:
        _print({"error": "AgentError", "message": f"The host's disk or state folder can't be used: {error}."})
        return AgentError.status


def _survey(state: StateFolder, virsh: Virsh, given: argparse.Namespace) -> int:
    _print(survey(virsh, given.scratch, str(state.root)))
    return 0


def _begin_backup(state: StateFolder, virsh: Virsh, given: argparse.Namespace) -> int:
    answer = job.begin_or_join(state, virsh, given.uuid, _request())
    status = int(answer.pop("status"))
    _print(answer)
    return status


def _send(state: StateFolder, virsh: Virsh, given: argparse.Namespace) -> int:
    folder = state.of(given.uuid)
    began, ready = folder.journal.entry("begin"), folder.journal.entry("ready")
    if not ready:
        raise NoOpenBackupError("No backup of this VM is open.")

    def require_open() -> None:
        if "scratch-full" in folder.journal.steps():
            raise NoOpenBackupError(f"The backup of {began['vm']} isn't open any more. {_SCRATCH_FULL}")
        offline.require_unchanged(virsh, folder, ready)

    disks = [DiskExport(export["disk"], export["socket"], export["export"]) for export in ready["exports"]]
    backup = OpenExports(
        began["run"],
        began["vm"],
        folder.uuid,
        str(folder.files),
        disks,
        require_open,
        lambda base: references.unchanged(folder, ready.get("clones", []), base),
    )
    with locked(folder.send_lock, timeout_s=_LOCK_S, shared=True):
        return send(backup, WatchedInput(sys.stdin.fileno()), sys.stdout.fileno())


def _boot_test(state: StateFolder, virsh: Virsh, _given: argparse.Namespace) -> int:
    _print(boot_test(state, virsh, Caller(sys.stdin.buffer)))
    return 0


def _end_backup(state: StateFolder, virsh: Virsh, given: argparse.Namespace) -> int:
    options: dict[str, Any] = {"back_s": None} if given.as_it_is else {}
    ended = end_backup(state, virsh, given.uuid, given.run, **options)
    if given.run is None:  # by hand, when in doubt: nothing stays
        references.drop_locked(state.of(given.uuid), "its backup was ended by hand")
        ended["repaired"] += job.remove_left_clones(state, virsh, given.uuid)
    _print(ended)
    return 0


def _keep_reference(state: StateFolder, virsh: Virsh, given: argparse.Namespace) -> int:
    request = _request()
    if not ({"run", "generation", "chunks"} <= request.keys() and isinstance(request["chunks"], dict)):
        raise UsageError("The request lacks run, generation or chunks.")
    _print(reference_timer.keep(state, virsh, given.uuid, request))
    return 0


def _drop_reference(state: StateFolder, _virsh: Virsh, given: argparse.Namespace) -> int:
    dropped = references.drop_locked(state.of(given.uuid), given.why)
    _print({"kept": False, "reason": given.why if dropped else ""})
    return 0


def _receive(state: StateFolder, virsh: Virsh, _given: argparse.Namespace) -> int:
    return receive(state, virsh, WatchedInput(sys.stdin.fileno()), sys.stdout.fileno())


def _check_restore(state: StateFolder, virsh: Virsh, _given: argparse.Namespace) -> int:
    _print(check(state, virsh, _request()))
    return 0


def _swap(state: StateFolder, virsh: Virsh, _given: argparse.Namespace) -> int:
    _print(swap(state, virsh, _request()))
    return 0


def _status(state: StateFolder, _virsh: Virsh, _given: argparse.Namespace) -> int:
    found = (_vm_status(folder) for folder in state.folders())
    _print({"vms": [status for status in found if status]})
    return 0


def _vm_status(folder: VmFolder) -> dict[str, Any]:
    """Return what is open of a VM; an empty object if nothing is."""
    if steps := folder.journal.entries():
        began = folder.journal.entry("begin")
        return {
            "vm": began.get("vm"),
            "uuid": folder.uuid,
            "run": began.get("run"),
            "since": steps[0]["at"],
            "step": steps[-1]["step"],
            "busy": folder.is_busy(),
            "sending": folder.is_sending(),
            "watchdog": folder.is_watched(),
        }
    if unfinished := describe_unfinished(folder):
        return {"vm": folder.restoring.entry("begin")["vm"], "uuid": folder.uuid, "restore": unfinished}
    if armed := read_json(folder.watchdog):
        return {"uuid": folder.uuid, "run": armed.get("run"), "watchdog": folder.is_watched()}
    return {}


def _work(state: StateFolder, virsh: Virsh, given: argparse.Namespace) -> int:
    job.work(state, virsh, given.uuid, given.token)
    return 0


def _watch(state: StateFolder, virsh: Virsh, given: argparse.Namespace) -> int:
    watch(state, virsh, given.uuid, given.token)
    return 0


def _watch_references(state: StateFolder, virsh: Virsh, _given: argparse.Namespace) -> int:
    reference_timer.check(state, virsh)
    return 0


def _watch_boot_test(state: StateFolder, virsh: Virsh, given: argparse.Namespace) -> int:
    cleanup.watch(state, virsh, given.domain)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "agent", description=help_texts.ABOUT, epilog=help_texts.EPILOG, formatter_class=_Plain
    )
    parser.add_argument("--uri", default="qemu:///system", help="libvirt's URI (default: %(default)s)")
    parser.add_argument(
        "--state", metavar="FOLDER", default=STATE, help="the agent's state folder (default: %(default)s)"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_commands(commands)
    _add_hidden_commands(commands)
    return parser


def _add_commands(commands: Any) -> None:
    surveying = _command(commands, _survey, "list the VMs, and what prevents a backup", help_texts.SURVEY)
    surveying.add_argument(
        "--scratch", metavar="FOLDER", help="report this folder's free space (default: the state folder's)"
    )
    _command(commands, _status, "list what is open on this host", help_texts.STATUS)
    beginning = _command(commands, _begin_backup, "begin a VM's backup", help_texts.BEGIN_BACKUP)
    sending = _command(commands, _send, "send an open backup's disks (for programs)", help_texts.SEND)
    ending = _command(
        commands, _end_backup, "end a VM's backup, and clean up: when in doubt", help_texts.END_BACKUP
    )
    ending.add_argument("--run", help="end only a backup of this run (default: of any run)")
    ending.add_argument("--as-it-is", action="store_true", help="leave the VM as it is: don't start it")
    keeping = _command(
        commands, _keep_reference, "keep an open backup's clones (for programs)", help_texts.KEEP_REFERENCE
    )
    dropping = _command(
        commands, _drop_reference, "remove the clones that were kept of a VM", help_texts.DROP_REFERENCE
    )
    dropping.add_argument("--why", default="it was asked for", help="a phrase for the next report")
    for parser in (beginning, sending, ending, keeping, dropping):
        parser.add_argument("uuid", metavar="UUID", help="the VM's UUID, as virsh domuuid prints it")
    _command(
        commands, _boot_test, "boot a VM from its image in the vault (for programs)", help_texts.BOOT_TEST
    )
    _command(
        commands, _check_restore, "check that a restore is possible (for programs)", help_texts.CHECK_RESTORE
    )
    _command(commands, _receive, "receive disks to be restored (for programs)", help_texts.RECEIVE)
    _command(commands, _swap, "put received disks in place (for programs)", help_texts.SWAP)


def _add_hidden_commands(commands: Any) -> None:
    """Add the commands of processes that the agent starts itself; the help doesn't list them."""
    for run in (_work, _watch):
        parser = _command(commands, run)
        parser.add_argument("uuid")
        parser.add_argument("token")
    _command(commands, _watch_boot_test).add_argument("domain")
    _command(commands, _watch_references)


def _command(commands: Any, run: Any, summary: str = "", about: str = "") -> argparse.ArgumentParser:
    """Add the command that a function of the same name runs; without a summary, the help doesn't list it."""
    listed = {"help": summary} if summary else {}
    name = run.__name__[1:].replace("_", "-")
    parser: argparse.ArgumentParser = commands.add_parser(
        name, description=about, formatter_class=_Plain, **listed
    )
    parser.set_defaults(do=run, heartbeat=name in _WITH_HEARTBEAT)
    return parser


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of descriptions."""


def _request() -> dict[str, Any]:
    """Read the request from standard input; an empty input counts as an empty object."""
    try:
        request = json.loads(sys.stdin.buffer.read() or b"{}")
    except ValueError as error:
        raise UsageError(f"Standard input isn't JSON: {error}.") from error
    if not isinstance(request, dict):
        raise UsageError("Standard input must be a JSON object.")
    return request


def _print(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 - the answer
