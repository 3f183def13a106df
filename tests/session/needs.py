"""What tests need of a machine. Without it they are skipped, and the run ends with a list of what is missing.

If ``CI`` is set, they fail instead.
"""

import functools
import os
import shutil
import subprocess
from typing import NamedTuple, NoReturn

import pytest

from tests.site import docker_engine
from tests.site.guests import Boot
from tests.site.postgres import PROGRAMS
from tests.site.sshd import MissingProgramError

PACKAGES = {
    "chattr": "e2fsprogs",
    "chromium": "chromium",
    "fdisk": "fdisk",
    "filefrag": "e2fsprogs",
    "ionice": "util-linux",
    "libvirtd": "libvirt-daemon libvirt-daemon-driver-qemu",
    "mkfs.btrfs": "btrfs-progs",
    "mkfs.ext2": "e2fsprogs",
    "mkfs.ext3": "e2fsprogs",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "mount": "mount",
    "python3": "python3",
    "qemu-img": "qemu-utils",
    "qemu-nbd": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "redis-server": "redis-server",
    "rsync": "rsync",
    "setpriv": "util-linux",
    "sfdisk": "fdisk",
    "sha256sum": "coreutils",
    "ssh": "openssh-client",
    "systemctl": "systemd",
    "systemd-analyze": "systemd",
    "sshd": "openssh-server",
    "strace": "strace",
    "unshare": "util-linux",
    "virsh": "libvirt-clients",
}
_SYSTEM = ":/usr/sbin:/sbin:/usr/local/sbin"  # not on every PATH
REASON = "Not run on this machine: "


class Missing(NamedTuple):
    """Why a test can't run.

    Args:
        reason: what the machine lacks.
        command: the command that would help.
    """

    reason: str
    command: str


def skip_or_fail(missing: Missing) -> NoReturn:
    """Skip the test, with the reason and the command; if CI is set, fail it."""
    text = f"{missing.reason} Try: {missing.command}"
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(REASON + text)


def program(name: str) -> str:
    """Return a program's name; skip the test if it isn't installed."""
    if missing := lacks_program(name):
        skip_or_fail(missing)
    return name


def lacks_program(name: str) -> Missing | None:
    """Return what is missing for a program; None if it's installed."""
    if shutil.which(name, path=os.environ.get("PATH", "") + _SYSTEM):
        return None
    return Missing(f"{name} is missing.", f"sudo apt-get install {PACKAGES[name]}")


def kvm_host() -> None:
    """Skip the test if no stand-in KVM host can run."""
    if missing := lacks_kvm_host():
        skip_or_fail(missing)


@functools.cache
def lacks_kvm_host() -> Missing | None:
    """Return why VMs can't run here, or None: they need root, namespaces, libvirt and QEMU."""
    if os.geteuid() != 0:
        return Missing("VMs need root.", "sudo make test")
    programs = ("unshare", "libvirtd", "virsh", "qemu-system-x86_64", "qemu-img", "mkfs.ext4")
    missing = next(filter(None, map(lacks_program, programs)), None) or _lacks_kernel()
    return missing or _lacks(
        ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "mount", "-t", "tmpfs", "none", "/run"],
        "VMs need namespaces of their own",
        "Run it outside of the container, or in one with: docker run --privileged",
    )


def _lacks_kernel() -> Missing | None:
    try:
        Boot.made()
    except (MissingProgramError, OSError) as missing:
        return Missing(f"VMs have no kernel: {missing}", "sudo apt-get update")
    return None


def own_mounts() -> list[str]:
    """Return the prefix of a command that gives it a mount namespace of its own.

    Skip the test if there can't be one.
    """
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    prefix = [program("unshare"), *rights, "--mount", "--propagation", "private"]
    missing = _lacks(
        [*prefix, program("mount"), "-t", "tmpfs", "none", "/mnt"],
        "This machine allows no mount namespaces",
        "sudo make test (in a container: docker run --privileged)",
    )
    if missing:
        skip_or_fail(missing)
    return prefix


def docker_images() -> None:
    """Skip the test without root, or without the images that the Docker engine of the tests starts with."""
    root()
    if not (docker_engine.CACHE / "images").exists():
        skip_or_fail(Missing("The images of the production set-up aren't made.", "make docker-images"))


def postgres() -> None:
    """Skip the test without a PostgreSQL server to start."""
    if not any(PROGRAMS.glob("*/bin/initdb")):
        skip_or_fail(Missing("PostgreSQL is missing.", "sudo apt-get install postgresql"))


def celery() -> None:
    """Skip the test without root, or without what workers of Celery need: PostgreSQL and Redis."""
    root()
    for name in ("unshare", "setpriv", "redis-server"):
        program(name)
    postgres()


def compose() -> str:
    """Return the program of Compose that comes with those images; skip the test without it."""
    docker_images()
    return str(docker_engine.CACHE / "client" / "cli-plugins" / "docker-compose")


def root() -> None:
    """Skip the test unless it runs as root."""
    if os.geteuid() != 0:
        skip_or_fail(Missing("This test needs root.", "sudo make test"))


def disk_mounts() -> list[str]:
    """Return the prefix of a command that may also mount disk images; skip the test unless root."""
    if os.geteuid() != 0:
        skip_or_fail(Missing("Mounting a file as a disk needs root.", "sudo make test"))
    return own_mounts()


def _lacks(command: list[str], what: str, remedy: str) -> Missing | None:
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    return Missing(f"{what}: {tried.stderr.strip()}.", remedy) if tried.returncode else None


def plain_user() -> list[str]:
    """Return the prefix of a command that makes file modes count, as they don't for root."""
    if os.geteuid() != 0:
        return []
    # The account stays root, for pytest's private folders, but without root's exemptions.
    return [program("setpriv"), "--bounding-set=-dac_override,-dac_read_search,-fowner", "--"]
