"""Send an open backup's disks to the vault, chunk by chunk; of unchanged chunks, only that they are the same.

The protocol is in ``wire.py``. Holes are never read, nor what the worker carries over from the vault; many
chunks are read ahead, and hashed in threads while others are sent.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

from include.agent.backup.references import Unchanged
from include.agent.bitmap import Bitmap
from include.agent.disks.chunk_reader import ChunkRange, read_chunks
from include.agent.disks.nbd_client import LARGEST_READ, Export, NbdError, NbdGoneError
from include.agent.errors import AgentError, BackupNotBegunError, NoOpenBackupError, error_json
from include.agent.wire import (
    DIGEST_BYTES,
    LONGEST_REQUEST,
    Runs,
    Wire,
    WireInput,
    WrongQuestionError,
)

FILES = ("domain.xml", "nvram.fd", "tpm.tar")

_DONE, _HUNG_UP = 0, 1  # exit statuses


class DiskExport(NamedTuple):
    """An exported disk: its name, the NBD server's socket, and the export's name there."""

    disk: str
    socket: str
    export: str


class OpenExports(NamedTuple):
    """An open backup.

    Args:
        run: the run that began it.
        vm: the VM's name.
        uuid: the VM's UUID.
        files: the folder with the definition, NVRAM and TPM state.
        disks: the exported disks.
        require_open: raises the AgentError that says why what is read can't be used, if that is known.
        unchanged: returns what hasn't changed in each disk since the vault's base; see ``references.py``.
    """

    run: str
    vm: str
    uuid: str
    files: str
    disks: list[DiskExport]
    require_open: Callable[[], None]
    unchanged: Callable[[dict[str, Any]], dict[str, Unchanged]] = lambda _base: {}


def send(backup: OpenExports, wire_in: WireInput, wire_out: int) -> int:
    """Answer the worker's requests until it hangs up.

    Args:
        backup: the open backup.
        wire_in: the worker's requests.
        wire_out: a file descriptor for the answers.

    Returns:
        an exit status: 0 done, 1 the worker hung up, or that of the error that was sent.
    """
    wire = Wire(wire_in, wire_out)
    try:
        with wire.beating(), ExitStack() as opened:
            return _answer(backup, wire, opened)
    except (BrokenPipeError, EOFError):
        return _HUNG_UP


def _answer(backup: OpenExports, wire: Wire, opened: ExitStack) -> int:
    send_error = wire.send_json  # until the greeting is answered: as a line
    try:
        _check_run(backup, greeting := wire.receive_json())
        backup.require_open()  # confirms what an earlier call sent and couldn't confirm
        exports = {disk.disk: opened.enter_context(Export(disk.socket, disk.export)) for disk in backup.disks}
        wire.send_json({**_greeting(backup, exports), **_unchanged(backup, greeting.get("base"))})
        send_error = wire.send_error  # from now on: as a frame
        while request := wire.receive_json():
            _send(_ChunkRequest.parse(request, exports), wire, backup.require_open)
    except (AgentError, NbdError, WrongQuestionError) as error:
        failure = _failure(backup, error)
        send_error(error_json(failure))
        return failure.status
    return _DONE


def _failure(backup: OpenExports, error: Exception) -> AgentError:
    if isinstance(error, AgentError):
        return error
    try:
        backup.require_open()
    except AgentError as why:
        return why
    if isinstance(error, NbdGoneError):
        return NoOpenBackupError(f"The backup of {backup.vm} isn't open any more. {error}")
    return BackupNotBegunError(f"{backup.vm} can't be sent. {error}")


def _check_run(backup: OpenExports, greeting: dict[str, Any]) -> None:
    if greeting.get("run") != backup.run:
        raise NoOpenBackupError(
            f"The backup of {backup.vm} isn't open any more. The open backup is of {backup.run}, not of "
            f"{greeting.get('run')}."
        )


def _greeting(backup: OpenExports, exports: dict[str, Export]) -> dict[str, Any]:
    files = {}
    for name in FILES:
        with suppress(FileNotFoundError):
            files[name] = base64.b64encode(Path(backup.files, name).read_bytes()).decode()
    disks = [{"name": name, "bytes": export.bytes} for name, export in exports.items()]
    return {"vm": backup.vm, "uuid": backup.uuid, "disks": disks, "files": files}


def _unchanged(backup: OpenExports, base: object) -> dict[str, Any]:
    """Return what hasn't changed since a base that the worker named, to be added to the greeting."""
    if not isinstance(base, dict):
        return {}
    return {"unchanged": {disk: found._asdict() for disk, found in backup.unchanged(base).items()}}


class _ChunkRequest(NamedTuple):
    """A requested range of chunks, and how many of its first chunks the vault sends hashes of."""

    chunks: ChunkRange
    have: int

    @classmethod
    def parse(cls, request: dict[str, Any], exports: dict[str, Export]) -> _ChunkRequest:
        """Parse and check a request.

        Raises:
            WrongQuestionError: it is malformed, or goes beyond the disk.
        """
        try:
            export = exports[request["disk"]]
            chunk_bytes, first, count, have = (
                int(request[key]) for key in ("chunk_bytes", "from", "count", "have")
            )
            skip = [(int(start), int(end)) for start, end in request.get("skip", ())]
        except (KeyError, TypeError, ValueError) as error:
            raise WrongQuestionError(f"The request is malformed: {error!r}.") from error
        valid = 0 < chunk_bytes <= LARGEST_READ and first >= 0 and LONGEST_REQUEST >= count >= have >= 0
        if not valid or (count and (first + count - 1) * chunk_bytes >= export.bytes):
            raise WrongQuestionError(f"The disk has no such chunks: {request}.")
        return cls(ChunkRange(export, chunk_bytes, first, first + count, _numbers(skip, first, count)), have)


def _numbers(ranges: list[tuple[int, int]], first: int, count: int) -> Bitmap:
    """Return the chunks of some ranges as numbers from ``first`` on.

    Raises:
        WrongQuestionError: they aren't among those that are requested.
    """
    numbers = Bitmap(count)
    for start, end in ranges:
        if not first <= start <= end <= first + count:
            raise WrongQuestionError(f"The chunks that aren't to be read aren't requested: {start} to {end}.")
        for number in range(start - first, end - first):
            numbers.add(number)
    return numbers


def _send(request: _ChunkRequest, wire: Wire, require_open: Callable[[], None]) -> None:
    began, read, sent = time.monotonic(), 0, 0
    zero_digests = request.chunks.zero_digests()
    in_vault = wire.receive(request.have * DIGEST_BYTES)
    runs = Runs(wire)
    for index, block in read_chunks(request.chunks):
        at = (index - request.chunks.first) * DIGEST_BYTES
        if block is None:
            runs.add(b"Z", index)
            continue
        view, digest = block
        read += len(view)
        if digest == zero_digests[len(view)]:
            runs.add(b"Z", index)
        elif digest == in_vault[at : at + DIGEST_BYTES]:
            runs.add(b"S", index)
        else:
            runs.end()
            wire.send_frame(b"D", index, len(view), digest, view)
            sent += len(view)
    runs.end()
    require_open()  # after the last byte was read: without the E frame the worker doesn't use them
    seconds = round(time.monotonic() - began, 3)
    wire.send_json_frame(b"E", {"read_bytes": read, "sent_bytes": sent, "seconds": seconds})
