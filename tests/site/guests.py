"""Guests small enough for tests: Debian's cloud kernel, a busybox, and a script that is their whole system.

A guest mounts its first disk (ext4), counts its boots and ticks on it, says on its serial console how it
goes, and powers off at the ACPI button within a moment, unless it's a stubborn one. A busy one writes to its
second disk, and says so each time. One that has the guest agent's channel answers there as the agent does. It
boots in 3 s without hardware help.
"""

import gzip
import hashlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.site.airflow_home import PROJECT
from tests.site.sshd import MissingProgramError

CACHE = PROJECT / ".guest_cache"
_BUSYBOX = Path("/bin/busybox")
# In the order in which they need one another.
_MODULES = (
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "drivers/block/virtio_blk",
    "drivers/char/virtio_console",
    "drivers/input/evdev",
    "drivers/acpi/button",
)
_INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in {modules}; do insmod /modules/$module.ko; done
if mount -t ext4 /dev/vda /mnt; then
    boots=$(cat /mnt/boots 2>/dev/null || echo 0)
    echo $((boots + 1)) >/mnt/boots
    sync
    echo "guest: boot $((boots + 1))"
    (while :; do date +%s >>/mnt/ticks; sync; sleep 0.2; done) &
    ticker=$!
fi
if grep -q busy /proc/cmdline; then
    dd if=/dev/urandom of=/noise bs=1M count=4 2>/dev/null
    places=$(($(cat /sys/block/vdb/size) / 8192))
    place=0
    while :; do
        dd if=/noise of=/dev/vdb bs=1M seek=$((place * 4)) conv=notrunc,fsync 2>/dev/null
        echo "guest: wrote 4 MiB"
        place=$(((place + 1) % places))
    done &
fi
if grep -q stubborn /proc/cmdline; then
    echo "guest: ready, and deaf to the power button"
    while :; do sleep 3600; done
fi
answer() {{
    exec 3<>$1
    while :; do
        while read -r asked <&3; do
            case $asked in
            *guest-sync*) printf '{{"return": %s}}\\n' "$(echo "$asked" | tr -cd 0-9)" >&3 ;;
            *guest-ping*) echo '{{"return": {{}}}}' >&3 ;;
            esac
        done
        sleep 0.2 # nobody listens at the host
    done
}}
for port in /sys/class/virtio-ports/*; do
    if grep -qs org.qemu.guest_agent.0 $port/name; then answer /dev/${{port##*/}} & fi
done
mkfifo /pressed
for input in /dev/input/event*; do
    (dd if=$input bs=24 count=1 of=/dev/null 2>/dev/null; echo >/pressed) &
done
echo "guest: ready"
read _ </pressed
kill $ticker
umount /mnt
echo "guest: off"
poweroff -f
"""


@dataclass(frozen=True)
class Boot:
    """What every guest boots from.

    Args:
        kernel: a Linux kernel.
        initramfs: what it runs.
    """

    kernel: Path
    initramfs: Path

    @classmethod
    def made(cls, cache: Path = CACHE) -> Self:
        """Give kernel and initramfs, fetched and made when the cache doesn't hold them yet.

        Raises:
            MissingProgramError: the kernel's package can't be fetched, or busybox isn't installed.
        """
        what_it_runs = hashlib.sha256(_INIT.encode()).hexdigest()[:12]
        boot = cls(cache / "vmlinuz", cache / f"initramfs-{what_it_runs}.gz")
        if not (boot.kernel.exists() and boot.initramfs.exists()):
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache) as work:
                _make(Path(work), boot)
        return boot


def _make(work: Path, boot: Boot) -> None:
    unpacked = _unpacked_kernel(work)
    (kernel,) = (unpacked / "boot").glob("vmlinuz-*")
    packed = work / "packed"
    packed.write_bytes(gzip.compress(_archive(_tree(work / "tree", unpacked)), compresslevel=1, mtime=0))
    packed.replace(boot.initramfs)
    kernel.replace(boot.kernel)  # the last: both are there once it is


def _unpacked_kernel(work: Path) -> Path:
    """Fetch Debian's newest cloud kernel and unpack it, without installing it."""
    newest = _output("apt-cache", "depends", "linux-image-cloud-amd64", cwd=work)
    package = re.search(r"Depends: (linux-image-\S+)", newest)
    if not package:
        raise MissingProgramError("Debian's packages aren't known here. Run: sudo apt-get update")
    _output("apt-get", "download", package[1], cwd=work)
    (archive,) = work.glob("*.deb")
    _output("dpkg", "-x", str(archive), "unpacked", cwd=work)
    return work / "unpacked"


def _tree(tree: Path, unpacked: Path) -> Path:
    for folder in ("bin", "dev", "proc", "sys", "mnt", "modules"):
        (tree / folder).mkdir(parents=True)
    if not _BUSYBOX.exists():
        raise MissingProgramError(f"{_BUSYBOX} is missing. Install it: sudo apt-get install busybox-static")
    shutil.copy(_BUSYBOX, tree / "bin")
    (modules,) = (unpacked / "lib/modules").glob("*/kernel")
    for module in _MODULES:
        shutil.copy(modules / f"{module}.ko", tree / "modules")
    init = tree / "init"
    init.write_text(_INIT.format(modules=" ".join(Path(module).name for module in _MODULES)), "utf-8")
    init.chmod(0o755)
    return tree


def _archive(tree: Path) -> bytes:
    names = "\n".join(sorted(str(path.relative_to(tree)) for path in tree.rglob("*")))
    cpio = ["cpio", "--create", "--format=newc", "--quiet", "--owner=0:0"]
    return subprocess.run(cpio, cwd=tree, input=names.encode(), capture_output=True, check=True).stdout


def _output(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingProgramError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout
