"""The agent's command line, for programs and for a person at a terminal."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from . import drill_end, job
from .drill import Caller, drill
from .errors import AgentError, NothingFrozenError, UsageError
from .folder import MachineFolder, State, held, read_json
from .receive import receive
from .release import release
from .serve import Held, Place, serve
from .standing import standing
from .survey import survey
from .swap import check, swap
from .virsh import Virsh
from .watch import watch

STATE = "/var/lib/inpe-backup"
ALIVE_S = 10.0
_A_LOOK_S = 2.0
_ABOUT = """\
Images libvirt's machines with seconds of downtime. Each command prints one JSON object on one line.
A machine is asked for by its UUID (virsh domuuid NAME).
"""
_STATUSES = """\
exit status:
  0  done
  2  it can't be understood what is asked for
  3  busy: another machine of this host, or another run, has its turn; come again
  4  not possible: the machine can't be backed up this way; nothing was touched
  5  still running: the guest ignored the shutdown; should it go down late, the host starts it again
  6  not frozen: something failed; the machine does what it did before
  7  NOT BACK: the machine isn't proven to run again; look at it now
  8  libvirt said no, or nothing
  9  nothing is frozen (any more)
  10  not restored; says what each disk of the machine holds
"""
_FREEZE = """\
Stops the machine, holds its disks' state, and has it running again at once; or as "method" says:
cold, live, copy, offline. It goes on if you go away; asked again for the same run, it's found again.
The disks are held until they are released.

Reads a JSON object from standard input, such as
  {"run": "by hand", "method": "cold", "on_timeout": "leave", "shutdown_timeout_s": 300, "lease_s": 1800,
   "scratch": null, "proof": {"guest_agent": false, "address": null, "ports": [], "same_ports": false,
   "timeout_s": 120}}
"""
_DRILL = """\
Boots a machine from its image in the vault, in a domain of its own, without network; tells whether it boots.
It ends with whoever asked: keep standard input open. Reads a JSON object on one line (for programs).
"""
_RELEASE = """\
Ends what holds the machine's disks, removes what it took, and puts the machine back as it was: running if it
ran, off if it was off. May be called at any time, and again. This is what to run when in doubt.
"""
_SCRATCH_FULL = """\
The guest wrote so much while it was imaged that the host's scratch room was full; its disks were let go, so \
that it wouldn't halt. Make room, or name another scratch folder in the site file."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; gives its exit status."""
    asked = _parser().parse_args(arguments)
    state, virsh = State(os.path.abspath(asked.state)), Virsh(asked.uri)  # noqa: PTH100 - links stay
    try:
        with _signs_of_life() if asked.talks else nullcontext():
            return int(asked.do(state, virsh, asked))
    except AgentError as error:
        _say({"error": type(error).__name__, "message": str(error)})
        return error.status
    except OSError as error:
        _say({"error": "AgentError", "message": f"The host's own disk is in the way: {error}."})
        return AgentError.status


@contextmanager
def _signs_of_life() -> Iterator[None]:
    """Print blank lines before the answer: whoever waits for it knows that the session still stands."""
    done = threading.Event()

    def tell() -> None:
        with suppress(OSError):  # nobody listens any more
            while not done.wait(ALIVE_S):
                print(flush=True)  # noqa: T201 - it's for whoever waits

    threading.Thread(target=tell, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _survey(state: State, virsh: Virsh, _asked: argparse.Namespace) -> int:
    _say(survey(virsh, _heard(), str(state.root)))
    return 0


def _freeze(state: State, virsh: Virsh, asked: argparse.Namespace) -> int:
    answer = job.ask(state, virsh, asked.uuid, _heard())
    status = int(answer.pop("status"))
    _say(answer)
    return status


def _serve(state: State, _virsh: Virsh, asked: argparse.Namespace) -> int:
    folder = state.of(asked.uuid)
    began, ready = folder.journal.facts("begin"), folder.journal.facts("ready")
    if not ready:
        raise NothingFrozenError("Nothing of this machine is frozen.")
    if why := _why_gone(folder):
        raise NothingFrozenError(why)
    places = [Place(found["disk"], found["socket"], found["export"]) for found in ready["exports"]]
    mine = Held(
        began["run"], began["machine"], folder.uuid, str(folder.kept), places, lambda: _why_gone(folder)
    )
    with held(folder.serving_lock, patience_s=_A_LOOK_S, shared=True):
        return serve(mine, sys.stdin.buffer, sys.stdout.fileno())


def _why_gone(folder: MachineFolder) -> str:
    return _SCRATCH_FULL if "scratch-full" in folder.journal.steps() else ""


def _drill(state: State, virsh: Virsh, _asked: argparse.Namespace) -> int:
    _say(drill(state, virsh, Caller(sys.stdin.buffer)))
    return 0


def _release(state: State, virsh: Virsh, asked: argparse.Namespace) -> int:
    how: dict[str, Any] = {"back_s": None} if asked.as_it_is else {}
    _say(release(state, virsh, asked.uuid, asked.run, **how))
    return 0


def _receive(state: State, virsh: Virsh, _asked: argparse.Namespace) -> int:
    return receive(state, virsh, sys.stdin.buffer, sys.stdout.fileno())


def _check_restore(state: State, virsh: Virsh, _asked: argparse.Namespace) -> int:
    _say(check(state, virsh, _heard()))
    return 0


def _swap(state: State, virsh: Virsh, _asked: argparse.Namespace) -> int:
    _say(swap(state, virsh, _heard()))
    return 0


def _status(state: State, _virsh: Virsh, _asked: argparse.Namespace) -> int:
    found = []
    for folder in state.folders():
        if steps := folder.journal.entries():
            began = folder.journal.facts("begin")
            about = {"machine": began.get("machine"), "uuid": folder.uuid, "run": began.get("run")}
            now = {"step": steps[-1]["step"], "at_work": folder.at_work(), "guarded": folder.watched()}
            found.append({**about, "since": steps[0]["at"], **now, "read_now": folder.served()})
        elif cut_off := standing(folder):
            began = folder.restoring.facts("begin")
            found.append({"machine": began["machine"], "uuid": folder.uuid, "restore": cut_off})
        elif lease_of := read_json(folder.lease):
            found.append({"uuid": folder.uuid, "run": lease_of.get("run"), "guarded": folder.watched()})
    _say({"machines": found})
    return 0


def _work(state: State, virsh: Virsh, asked: argparse.Namespace) -> int:
    job.work(state, virsh, asked.uuid, asked.token)
    return 0


def _watch(state: State, virsh: Virsh, asked: argparse.Namespace) -> int:
    watch(state, virsh, asked.uuid, asked.token)
    return 0


def _watch_drill(state: State, virsh: Virsh, asked: argparse.Namespace) -> int:
    drill_end.watch(state, virsh, asked.domain)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("agent", description=_ABOUT, epilog=_STATUSES, formatter_class=_Plain)
    parser.add_argument("--uri", default="qemu:///system", help="which libvirt (default: %(default)s)")
    parser.add_argument("--state", default=STATE, help="the agent's own folder (default: %(default)s)")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _command(
        commands, "survey", _survey, ('tell what machines there are; reads {"scratch": FOLDER or null}',)
    )
    _command(commands, "freeze", _freeze, ("hold a machine's disks at one instant", _FREEZE), uuid=True)
    _command(commands, "serve", _serve, ("send frozen disks (a binary protocol: for programs)",), uuid=True)
    _command(commands, "drill", _drill, ("boot a machine from its image, to see that it boots", _DRILL))
    back = _command(commands, "release", _release, ("put a machine back as it was", _RELEASE), uuid=True)
    back.add_argument("--run", help="only if it was frozen for this run")
    back.add_argument("--as-it-is", action="store_true", help="owe it nothing: if it's down, it stays down")
    for name, do, told in (
        ("check-restore", _check_restore, "tell what stands in the way of a restore (for programs)"),
        ("receive", _receive, "take disks to be restored (a binary protocol: for programs)"),
        ("swap", _swap, "put what was received to its place (for programs)"),
    ):
        _command(commands, name, do, (told,)).set_defaults(talks=name != "receive")
    _command(
        commands, "status", _status, ("tell what is frozen, since when, and whether its lease is guarded",)
    )
    for name, hidden in (("work", _work), ("watch", _watch)):  # processes that the agent starts itself
        _command(commands, name, hidden, (), uuid=True).add_argument("token")
    _command(commands, "watch-drill", _watch_drill, ()).add_argument("domain")
    return parser


def _command(
    commands: Any, name: str, do: Any, told: tuple[str, ...], *, uuid: bool = False
) -> argparse.ArgumentParser:
    """Add a command; what is told of it is one line, and maybe more; of one that has none, nothing."""
    helped = {"help": told[0]} if told else {}
    parser: argparse.ArgumentParser = commands.add_parser(
        name, description="".join(told[-1:]), formatter_class=_Plain, **helped
    )
    parser.set_defaults(do=do, talks=name in ("survey", "freeze", "release", "drill"))
    if uuid:
        parser.add_argument("uuid", metavar="UUID", help="the machine's, as virsh domuuid says it")
    return parser


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Leaves the lines as they are written."""


def _heard() -> dict[str, Any]:
    try:
        heard = json.loads(sys.stdin.buffer.read() or b"{}")
    except ValueError as error:
        raise UsageError(f"What came on standard input is no JSON: {error}.") from error
    if not isinstance(heard, dict):
        raise UsageError("A JSON object is wanted on standard input.")
    return heard


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 - that's the answer


if __name__ == "__main__":
    sys.exit(main())
