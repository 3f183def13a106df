"""The machine's programs that tests need, and the ways in which they run other processes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
_PACKAGES = {
    "chattr": "e2fsprogs",
    "fdisk": "fdisk",
    "ionice": "util-linux",
    "mkfs.ext2": "e2fsprogs",
    "mkfs.ext3": "e2fsprogs",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "mount": "mount",
    "python3": "python3",
    "rsync": "rsync",
    "setpriv": "util-linux",
    "sfdisk": "fdisk",
    "sha256sum": "coreutils",
    "ssh": "openssh-client",
    "unshare": "util-linux",
}


def program(name: str) -> str:
    """Give a program's name back when it is there; else the test fails and says how to install it."""
    if shutil.which(name) is None:
        pytest.fail(f"{name} is missing. Install it: sudo apt-get install {_PACKAGES[name]}")
    return name


def plain_user() -> list[str]:
    """Give the prefix of a command that then is bound by file modes, as root isn't."""
    if os.geteuid() != 0:
        return []
    # The account stays, so that it can pass pytest's private folders; what makes root exempt goes.
    return [program("setpriv"), "--bounding-set=-dac_override,-dac_read_search,-fowner", "--"]


def python(script: str, *arguments: str, prefix: tuple[str, ...] | list[str] = ()) -> str:
    """Run a script of this project in a process of its own, and give what it printed.

    Raises:
        AssertionError: it failed; with what it said.
    """
    done = subprocess.run(
        [*prefix, sys.executable, "-c", script, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment() -> dict[str, str]:
    """Give the environment in which another process finds this project."""
    return {**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'plugins'}"}


def own_mounts() -> list[str]:
    """Give the prefix of a command that then has file systems of its own, to mount what it likes."""
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    prefix = [program("unshare"), *rights, "--mount", "--propagation", "private"]
    tried = subprocess.run([*prefix, program("mount")], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.fail(
            f"This machine gives tests no mounts of their own: {tried.stderr.strip()}. Run them as root (in "
            "a container with --cap-add SYS_ADMIN), or: sudo sysctl kernel.unprivileged_userns_clone=1"
        )
    return prefix
