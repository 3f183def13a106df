"""The account that QEMU runs as: what only QEMU and the agent may use belongs to it, for no other local user.

Names that can't be guessed hide nothing: ``/proc/net/unix`` and ``/proc/*/cmdline`` show everyone the paths
of sockets and files. Only owners and modes keep others from reading a VM's disk.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import xml.etree.ElementTree as ET  # libvirt's own output, from this machine
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from include.agent.errors import NotPossibleError


def account_of(running: str) -> tuple[int, int] | None:
    """Return the UID and GID of a running domain's QEMU; None if libvirt doesn't set any for it.

    Args:
        running: the domain's XML, as ``virsh dumpxml`` prints it while it runs.
    """
    label = ET.fromstring(running).findtext("./seclabel[@model='dac']/label")  # noqa: S314
    return _numbers(label)


def default_account(capabilities: str) -> tuple[int, int] | None:
    """Return the UID and GID that QEMU gets on a host; None if it runs as libvirt's own user.

    Args:
        capabilities: what ``virsh capabilities`` prints.
    """
    for model in ET.fromstring(capabilities).iterfind("./host/secmodel"):  # noqa: S314
        if model.findtext("model") == "dac":
            return _numbers(model.findtext("baselabel"))
    return None


def give(path: Path, account: tuple[int, int] | None) -> None:
    """Give a file, socket or folder to QEMU's account, with no rights for others.

    Raises:
        NotPossibleError: the agent's user may not do that.
    """
    path.chmod(0o700 if path.is_dir() else 0o600)
    if account is None or account[0] == os.geteuid():
        return
    try:
        os.chown(path, *account)
    except PermissionError as error:
        raise NotPossibleError(
            f"QEMU runs as UID {account[0]} on this host, and the SSH connection's user may not give it "
            f"{path}. Log in as root, or as QEMU's own user."
        ) from error


def _numbers(label: str | None) -> tuple[int, int] | None:
    """Return the UID and GID of a label, whose parts are numbers or this host's names, as for libvirt."""
    user, _, group = (label or "").partition(":")
    uid = _number(user, lambda name: pwd.getpwnam(name).pw_uid)
    gid = _number(group, lambda name: grp.getgrnam(name).gr_gid)
    return None if uid is None or gid is None else (uid, gid)


def _number(text: str, number_of: Callable[[str], int]) -> int | None:
    if not text.startswith("+"):
        with suppress(KeyError):
            return number_of(text)
    return int(text) if re.fullmatch(r"\+?[0-9]+", text) else None
