"""The freeze of a guest's file systems by its guest agent, for the moment in which its backup is begun.

While they are frozen, every write in the guest hangs. So a guest is frozen only if its agent answers, and
counts as thawed only once its agent reports that: until then, its journal shows that it may be frozen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from include.agent.errors import LibvirtError, NotPossibleError, NotResumedError, NotThawedError
from include.agent.state_folder import VmFolder
from include.agent.virsh import Virsh

POLL_S = 0.5


class GuestFreeze:
    """A context manager that freezes a guest if possible, and thaws it whatever happens in between.

    One that can't be resumed is left to :func:`watchdog.bring_back`, which resumes and thaws it.

    Args:
        folder: the VM's folder.
        virsh: the host's libvirt.
        step: writes a step to the VM's journal.
        thaw_s: for how many seconds to try to thaw it; after them, its watchdog keeps trying.

    Raises:
        NotPossibleError: something else has frozen it; nothing was touched.
        NotThawedError: it isn't seen to be thawed.
        LibvirtError: libvirt gives no answer.
    """

    def __init__(self, folder: VmFolder, virsh: Virsh, step: Callable[[str], None], thaw_s: float) -> None:
        self._folder = folder
        self._virsh = virsh
        self._step = step
        self._thaw_s = thaw_s
        self._problem: str | None = None
        self._asked = False

    @property
    def warnings(self) -> list[str]:
        """Why the backup is only crash-consistent; empty if the guest was frozen."""
        return (
            [f"Not frozen, so the backup is only crash-consistent. {self._problem}"] if self._problem else []
        )

    def __enter__(self) -> GuestFreeze:  # noqa: PYI034 - Python 3.7 has no Self
        self._problem = self._freeze()
        return self

    def __exit__(self, _kind: object, failure: object, _traceback: object) -> None:
        if not self._asked or isinstance(failure, NotResumedError):  # no agent answers while it is suspended
            return
        with suppress(OSError):  # a full disk mustn't keep it frozen
            self._step("thaw")  # also if the watchdog thawed it: perhaps before the freeze was done
        try:
            thaw(self._folder, self._virsh, self._thaw_s)
        except LibvirtError as error:
            name = self._folder.journal.entry("begin")["vm"]
            raise NotThawedError(f"{name} isn't back: {error}") from error

    def check(self) -> None:
        """Check that the guest is still frozen: it may have thawed itself, as Windows does after 10 s."""
        if self._problem:
            return
        try:
            if _status(self._folder, self._virsh) != "frozen":
                self._problem = "Nothing in it was frozen, or it was thawed too early."
        except LibvirtError as error:
            self._problem = f"Its guest agent didn't confirm the freeze: {error}"

    def _freeze(self) -> str | None:
        """Freeze the guest; return why that failed, or None if it didn't."""
        try:
            status = _status(self._folder, self._virsh)
        except LibvirtError as error:
            self._virsh.uuids()  # raises if libvirt is merely away
            return f"Its guest agent gives no answer: {error}"
        if status != "thawed":
            raise NotPossibleError(
                "Something other than this backup has frozen the guest's file systems, so its writes hang. "
                "If no program is about to thaw them: "
                f"virsh -c {self._virsh.uri} domfsthaw {self._folder.uuid}"
            )
        self._step("fsfreeze")
        self._asked = True
        try:
            self._virsh.run("domfsfreeze", f"--domain={self._folder.uuid}")
        except LibvirtError as error:
            return str(error)
        return None


def may_be_frozen(folder: VmFolder) -> bool:
    """Return whether a guest was frozen for its backup, and isn't known to be thawed."""
    steps = [entry["step"] for entry in folder.journal.entries()]
    newest = [step for step in steps if step in ("fsfreeze", "thaw", "thawed")][-1:]
    return newest not in ([], ["thawed"])


def thaw(folder: VmFolder, virsh: Virsh, timeout_s: float = 0) -> bool:
    """Thaw a guest that may be frozen, trying until its agent reports it thawed or the timeout is over.

    Returns:
        whether it may have been frozen.

    Raises:
        LibvirtError: it isn't seen to be thawed.
    """
    if not may_be_frozen(folder):
        return False
    deadline = time.monotonic() + timeout_s
    while failure := _thaw(folder, virsh):
        if time.monotonic() >= deadline:
            raise LibvirtError(
                "It was frozen for its backup and may still be frozen, so its writes may hang. If it is "
                f"paused, resume it first; thaw it (virsh -c {virsh.uri} domfsthaw {folder.uuid}), or "
                "restart its guest agent or the guest. "
                f"Last error: {failure.rstrip('.')}."
            )
        time.sleep(POLL_S)
    if may_be_frozen(folder):  # nobody has ended the backup meanwhile
        with suppress(OSError):  # it is thawed; that counts
            folder.journal.write("thawed")
    return True


def _thaw(folder: VmFolder, virsh: Virsh) -> str | None:
    """Try to thaw a guest; return why it isn't seen to be thawed, or None if it is."""
    failure = "Its guest agent reports it frozen."
    try:
        virsh.run("domfsthaw", f"--domain={folder.uuid}")
    except LibvirtError as error:  # it may have been thawed before
        failure = str(error)
    try:
        return None if _status(folder, virsh) == "thawed" else failure
    except LibvirtError as error:
        return str(error)


def _status(folder: VmFolder, virsh: Virsh) -> str:
    return str(virsh.guest_agent(folder.uuid, "guest-fsfreeze-status"))
