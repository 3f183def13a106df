"""Tests that leave a mess, for the tests of the clean-up. No suite collects a file of this name."""

import os
import subprocess
import time
from pathlib import Path

from tests.site.sshd import SshServer

SLEEP = os.environ.get("MESS", "")
"""How long the left process sleeps: a unique number, by which it's found again."""


def make_a_mess(folder: Path) -> None:
    """Leave a process in a session of its own, a server, a mount, and a loop device."""
    subprocess.Popen(["sleep", SLEEP], start_new_session=True)
    SshServer(folder / "sshd").start()
    (folder / "mounted").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", f"mess-{SLEEP}", str(folder / "mounted")], check=True)
    disk = folder / f"disk-{SLEEP}"
    disk.write_bytes(bytes(1 << 20))
    subprocess.run(["losetup", "--find", str(disk)], check=True)


def test_leaves_a_mess(tmp_path: Path) -> None:
    """Pass, and leave a mess."""
    make_a_mess(tmp_path)


def test_fails(tmp_path: Path) -> None:
    """Fail, and leave a mess."""
    make_a_mess(tmp_path)
    raise AssertionError("as it should")


def test_hangs(tmp_path: Path) -> None:
    """Hang until killed, and leave a mess."""
    make_a_mess(tmp_path)
    Path(os.environ["MESS_READY"]).touch()
    time.sleep(600)
