"""The pause of a running VM for the moment in which its disks are cloned, which aren't cloned all at once.

``virsh suspend`` is QMP's ``stop``: before it answers, QEMU stops the virtual CPUs, waits for all requests in
flight (bdrv_drain_all) and flushes the disks (bdrv_flush_all; do_vm_stop in QEMU's system/cpus.c). So no
write to a raw disk is in QEMU alone then, and none is made before the VM is resumed. What is in the host's
page cache is written before a file is cloned (generic_remap_file_range_prep in Linux's fs/remap_range.c).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from include.agent.errors import LibvirtError, NotResumedError
from include.agent.state_folder import VmFolder
from include.agent.virsh import Virsh

POLL_S = 0.5


class GuestPause:
    """A context manager that suspends a running VM, and resumes it whatever happens in between.

    Args:
        folder: the VM's folder.
        virsh: the host's libvirt.
        step: writes a step to the VM's journal.
        resume_s: for how many seconds to try to resume it; after them, its watchdog keeps trying.

    Raises:
        LibvirtError: it can't be suspended, and runs as before.
        NotResumedError: it isn't seen to be resumed.
    """

    def __init__(self, folder: VmFolder, virsh: Virsh, step: Callable[[str], None], resume_s: float) -> None:
        self._uuid = folder.uuid
        self._virsh = virsh
        self._step = step
        self._resume_s = resume_s

    def __enter__(self) -> GuestPause:  # noqa: PYI034 - Python 3.7 has no Self
        self._step("suspend")
        try:
            self._suspend()
        except BaseException:  # libvirt may have suspended it, though it gave no answer
            self._resume()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._resume()

    def holds(self) -> bool:
        """Return whether the VM is still suspended; not if it was resumed, or QEMU paused it for a reason.

        One that was resumed and suspended again counts: what it wrote meanwhile shows in its disks' times.

        Raises:
            LibvirtError: libvirt gives no answer.
        """
        return self._virsh.is_suspended(self._uuid)

    def _suspend(self) -> None:
        self._virsh.run("suspend", f"--domain={self._uuid}")
        if not self.holds():
            raise LibvirtError("It was suspended, and something resumed it at once.")

    def _resume(self) -> None:
        with suppress(OSError):  # a full disk mustn't keep it suspended
            self._step("resume")
        deadline = time.monotonic() + self._resume_s
        while failure := self._failed_resume():
            if time.monotonic() >= deadline:
                raise NotResumedError(f"It was suspended for its backup: {failure}") from failure
            time.sleep(POLL_S)
        self._step("resumed")

    def _failed_resume(self) -> LibvirtError | None:
        """Try to resume the VM; return why it may be paused, or None if it isn't."""
        try:
            self._virsh.run("resume", f"--domain={self._uuid}")
        except LibvirtError as error:
            with suppress(LibvirtError):
                return error if self._may_be_paused() else None
            return error
        return None

    def _may_be_paused(self) -> bool:
        """Return whether the VM is paused, or runs and libvirt may be just about to suspend it."""
        state = self._virsh.state(self._uuid)
        return state == "paused" or (state == "running" and not self._virsh.is_idle(self._uuid))
