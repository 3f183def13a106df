"""The last part of a restore: definition, disks and firmware get to their places.

Each step is in a journal before it's taken, and none leaves a disk that isn't complete (``moving.py``). A
second call goes on where one was cut off.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import kept, moving, overlay
from .errors import AgentError, BusyError, LibvirtError, NotPossibleError, NotRestoredError
from .folder import MachineFolder, State, held, read_json, write_json
from .journal import now
from .receive import seen, told
from .restore_room import restore_room
from .restoring import Restore
from .standing import Piece, pieces, standing
from .target import Target, look, require_off
from .virsh import Virsh

_PATIENCE_S = 5.0


def check(state: State, virsh: Virsh, asked: dict[str, Any]) -> dict[str, Any]:
    """Say how a restore stands that is asked for; touches nothing.

    Returns:
        ``done``: what :func:`swap` answered in this run; or ``begun``, whether it was cut off; and ``disks``.

    Raises:
        NotPossibleError: something stands in its way.
        BusyError: the machine is being imaged.
    """
    restore = Restore(asked)
    folder = state.of(restore.uuid)
    if (done := _done(folder, restore)) or _begun(folder, restore):
        return {"done": done or None, "begun": not done, "disks": []}
    return {"done": None, "begun": False, "disks": [told(target) for target in look(state, virsh, restore)]}


def swap(state: State, virsh: Virsh, asked: dict[str, Any]) -> dict[str, Any]:
    """Have a machine be what was received for it.

    Returns:
        ``machine``, ``uuid``, ``state``, ``kept`` (where the old disks are), ``definition`` (the old one's
        file) and ``warnings``.

    Raises:
        NotPossibleError: something stands in its way; nothing was touched.
        BusyError: somebody else is at the machine.
        NotRestoredError: it was cut off, or not all has been received; says what each disk holds.
        LibvirtError: libvirt said no, or nothing; says the same.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # whoever asked may go
    restore = Restore(asked)
    with _held(state, restore) as folder, restore_room(folder, restore) as room:
        if done := _done(folder, restore):
            return done
        try:
            if not _begun(folder, restore):
                _begin(state, virsh, folder, restore)
            answer = _exchange(virsh, folder, restore, room)
        except (AgentError, OSError) as error:
            if not folder.restoring.open:
                raise
            _give_up_if_undefinable(virsh, folder, error)
            kind = type(error) if isinstance(error, AgentError) else NotRestoredError
            raise kind(f"{error} {standing(folder)}") from error
        write_json(
            folder.restore / "done.json", {"run": restore.run, "token": restore.token, "answer": answer}
        )
        folder.restoring.close()
        return answer


@contextmanager
def _held(state: State, restore: Restore) -> Iterator[MachineFolder]:
    """Keep off every other restore of the machine, and what freezes, releases or starts it."""
    folder = state.of(restore.uuid)
    if not folder.restore.exists():
        raise NotRestoredError(f"Nothing of {restore.name} has been received.")
    with ExitStack() as locks:
        for lock in (folder.restore / "lock", folder.lock):
            if not locks.enter_context(held(lock, patience_s=_PATIENCE_S)):
                raise BusyError(f"Somebody else is at work at {restore.name}. Come again.")
        yield folder


def _give_up_if_undefinable(virsh: Virsh, folder: MachineFolder, error: Exception) -> None:
    """Leave nothing open where libvirt doesn't take the definition: nothing has been moved yet.

    Raises:
        NotPossibleError: so it is.
    """
    if folder.restoring.entries()[-1]["step"] == "define" and isinstance(error, LibvirtError):
        virsh.uuids()  # libvirt answers: it has refused it, and isn't just away
        folder.restoring.close()
        raise NotPossibleError(f"Nothing was moved. {error}") from error


def _done(folder: MachineFolder, restore: Restore) -> dict[str, Any]:
    found = read_json(folder.restore / "done.json")
    same = (found.get("run"), found.get("token")) == (restore.run, restore.token)
    return dict(found["answer"]) if same and not folder.restoring.open else {}


def _begun(folder: MachineFolder, restore: Restore) -> bool:
    return folder.restoring.facts("begin").get("token") == restore.token


def _begin(state: State, virsh: Virsh, folder: MachineFolder, restore: Restore) -> None:
    """See once more that nothing stands in the way and all is proven; then write down what is to be done."""
    targets = look(state, virsh, restore)
    proven = read_json(folder.restore / "proven.json")
    for target in targets:
        with suppress(FileNotFoundError):
            if proven.get("token") == restore.token and proven["disks"].get(target.disk.name) == seen(target):
                continue
        raise NotRestoredError(
            f"{target.disk.name} isn't proven at the host yet. {restore.name} wasn't touched."
        )
    _write_firmware(restore)
    stamp = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H-%M-%SZ")
    to_move = [_piece(target, stamp) for target in targets]
    firmware = sorted(restore.firmware.items())
    to_move += [_moved(name, path, restore.new(path), stamp) for name, path in firmware]
    folder.restoring.write(
        "begin",
        run=restore.run,
        token=restore.token,
        machine=restore.name,
        generation=restore.generation,
        in_place=restore.in_place,
        stamp=stamp,
        pieces=[
            [piece.what, str(piece.place), str(piece.new), str(piece.kept or ""), piece.overlay]
            for piece in to_move
        ],
    )


def _piece(target: Target, stamp: str) -> Piece:
    if target.overlay:
        overlay.require_room(target.new)
        return Piece(target.disk.name, target.place, target.new, None, overlay=True)
    return _moved(target.disk.name, target.place, target.new, stamp)


def _moved(what: str, place: Path, new: Path, stamp: str) -> Piece:
    """Give what gets to its place; what is there has a second name, unless it's a device."""
    there = place != new and os.path.lexists(place)
    return Piece(what, place, new, Path(f"{place}.before-restore-{stamp}") if there else None)


def _write_firmware(restore: Restore) -> None:
    write = {"nvram.fd": kept.write_nvram, "tpm.tar": kept.unpack_tpm}
    for name, path in restore.firmware.items():
        write[name](restore.files[name], restore.new(path))


def _exchange(virsh: Virsh, folder: MachineFolder, restore: Restore, room: Path) -> dict[str, Any]:
    known = restore.uuid in virsh.uuids()
    if known:
        _keep_definition(virsh, folder, restore)
    folder.restoring.write("define")
    described = folder.restore / "domain.xml"
    described.write_text(restore.definition, encoding="utf-8")
    described.chmod(0o600)
    virsh.run("define", f"--file={described}")
    all_pieces = pieces(folder)
    with _no_autostart(virsh, folder, restore):
        for piece in all_pieces:
            if not piece.moved:
                require_off(virsh, restore)
                _put(folder, piece, room)
    old = [piece.kept for piece in all_pieces if piece.kept]
    if not restore.keep_old:
        folder.restoring.write("remove-old")
        for one in old:
            moving.remove(one)
        old = []
    definition = folder.restoring.facts("keep definition").get("path")
    about = {"machine": restore.name, "uuid": restore.uuid, "definition": definition}
    return {**about, "kept": [str(one) for one in old], **_started(virsh, folder, restore)}


@contextmanager
def _no_autostart(virsh: Virsh, folder: MachineFolder, restore: Restore) -> Iterator[None]:
    """See that a host that goes down meanwhile doesn't start the machine with half of its disks."""
    if "autostart" not in folder.restoring.steps():
        folder.restoring.write("autostart", on=virsh.autostarts(restore.uuid))
    on = folder.restoring.facts("autostart")["on"]
    if on:
        virsh.set_autostart(restore.uuid, on=False)
    yield
    if on:
        virsh.set_autostart(restore.uuid, on=True)


def _put(folder: MachineFolder, piece: Piece, room: Path) -> None:
    if piece.overlay:
        folder.restoring.write(f"commit {piece.what}")
        overlay.write_over(piece, room)
        return
    folder.restoring.write(f"keep {piece.what}")
    moving.keep(piece)
    folder.restoring.write(f"move {piece.what}")
    moving.move(piece)


def _keep_definition(virsh: Virsh, folder: MachineFolder, restore: Restore) -> None:
    stamp = folder.restoring.facts("begin")["stamp"]
    old = folder.restore / f"domain.before-restore-{stamp}.xml"
    if restore.in_place and not old.exists():
        folder.restoring.write("keep definition", path=str(old))
        part = old.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(virsh.xml(restore.uuid) + "\n", encoding="utf-8")
        part.rename(old)


def _started(virsh: Virsh, folder: MachineFolder, restore: Restore) -> dict[str, Any]:
    warnings = []
    if restore.start and virsh.state(restore.uuid) == "shut off":
        folder.restoring.write("start")
        try:
            virsh.run("start", f"--domain={restore.uuid}")
        except AgentError as error:
            warnings.append(f"It is restored, and can't be started: {error}")
    return {"state": virsh.state(restore.uuid), "at": now(), "warnings": warnings}
