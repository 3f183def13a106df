"""Guests small enough for tests: Debian's cloud kernel, a busybox, and a script that is their whole system.

A guest mounts its first disk (ext4), counts its boots and ticks on it, prints its progress on the serial
console, and powers off at the ACPI power button, unless it's a stubborn one. A busy one keeps writing to its
second disk, and prints each write. One with a guest agent channel runs QEMU's guest agent, and prints each
tick: none while its file system is frozen. It boots in 3 s without hardware virtualization: kernel and
initramfs aren't compressed, since to unpack them takes an emulated CPU a third of that time.
"""

import hashlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.site.airflow_home import PROJECT
from tests.site.sshd import MissingProgramError

CACHE = PROJECT / ".guest_cache"
_BUSYBOX = Path("/bin/busybox")
_AGENT = "qemu-guest-agent"
# In the order of their dependencies.
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
_COMPRESSED = {"lz4": b"\x02\x21\x4c\x18", "zstd": b"\x28\xb5\x2f\xfd", "xz": b"\xfd7zXZ"}  # Debian's kernels
_INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in {modules}; do insmod /modules/$module.ko; done
agent=$(grep -lsx org.qemu.guest_agent.0 /sys/class/virtio-ports/*/name)
if mount -t ext4 /dev/vda /mnt; then
    boots=$(cat /mnt/boots 2>/dev/null || echo 0)
    echo $((boots + 1)) >/mnt/boots
    sync
    echo "guest: boot $((boots + 1))"
    mkfifo /nothing
    while :; do # "read" waits in the shell itself: each new process costs an emulated CPU much
        echo tick >>/mnt/ticks
        sync
        [ -z "$agent" ] || echo "guest: tick"
        read -r -t 0.3 -u 3 _
    done 3<>/nothing &
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
if [ "$agent" ]; then
    port=${{agent%/name}}
    port=/dev/${{port##*/}}
    (while :; do qemu-ga --path=$port --statedir=/run; sleep 0.2; done) &
    until ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q "$port"; do sleep 0.1; done
fi
mkfifo /pressed
for input in /dev/input/event*; do
    (dd if=$input bs=24 count=1 of=/dev/null 2>/dev/null; echo >/pressed) &
done
for input in /dev/input/event*; do # a press before that would be lost
    until ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q "$input$"; do sleep 0.1; done
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
    """The files that guests boot from.

    Args:
        kernel: a Linux kernel.
        initramfs: its initial RAM file system.
    """

    kernel: Path
    initramfs: Path

    @classmethod
    def made(cls, cache: Path = CACHE) -> Self:
        """Return kernel and initramfs; fetch and make them if the cache doesn't have them.

        Raises:
            MissingProgramError: the kernel's package can't be fetched, or busybox isn't installed.
        """
        init_sha256 = hashlib.sha256(_INIT.encode()).hexdigest()[:12]
        boot = cls(cache / "vmlinux", cache / f"initramfs-{init_sha256}")
        if not (boot.kernel.exists() and boot.initramfs.exists()):
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache) as work:
                _make(Path(work), boot)
        return boot


def _make(work: Path, boot: Boot) -> None:
    unpacked = _unpacked(work / "kernel", _newest_kernel(work))
    (kernel,) = (unpacked / "boot").glob("vmlinuz-*")
    tree = _tree(work / "tree", unpacked)
    _add_program(tree, _unpacked(work / "agent", _AGENT) / "usr/sbin/qemu-ga")
    _write(boot.initramfs, _archive(tree), work)
    _write(boot.kernel, _uncompressed(kernel), work)  # last: if the kernel is there, so is the initramfs


def _write(path: Path, content: bytes, work: Path) -> None:
    part = work / path.name
    part.write_bytes(content)
    part.replace(path)


def _uncompressed(kernel: Path) -> bytes:
    """Return the ELF file in a bzImage, which QEMU can start, too; Linux, Documentation/arch/x86/boot.rst."""
    image = kernel.read_bytes()
    (payload_offset, payload_length) = struct.unpack("<II", image[0x248:0x250])
    begin = (image[0x1F1] + 1) * 512 + payload_offset
    payload = image[begin : begin + payload_length - 4]  # without the size at its end
    [program] = [name for name, magic in _COMPRESSED.items() if payload.startswith(magic)]
    return subprocess.run([program, "-dc"], input=payload, capture_output=True, check=True).stdout


def _newest_kernel(work: Path) -> str:
    """Return the package of Debian's newest cloud kernel."""
    newest = _output("apt-cache", "depends", "linux-image-cloud-amd64", cwd=work)
    package = re.search(r"Depends: (linux-image-\S+)", newest)
    if not package:
        raise MissingProgramError("apt has no package lists. Run: sudo apt-get update")
    return package[1]


def _unpacked(folder: Path, package: str) -> Path:
    """Fetch and unpack a package, without installing it."""
    folder.mkdir()
    _output("apt-get", "download", package, cwd=folder)
    (archive,) = folder.glob("*.deb")
    _output("dpkg", "-x", str(archive), "unpacked", cwd=folder)
    return folder / "unpacked"


def _tree(tree: Path, unpacked: Path) -> Path:
    for folder in ("bin", "dev", "proc", "sys", "mnt", "run", "modules"):
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


def _add_program(tree: Path, program: Path) -> None:
    """Copy a program and the libraries of this machine that it needs."""
    shutil.copy(program, tree / "bin")
    linked = _output("ldd", str(program), cwd=tree)
    if missing := re.findall(r"(\S+) => not found", linked):
        raise MissingProgramError(f"{program.name} lacks {', '.join(missing)}. Run: tests/site/packages.sh")
    for library in re.findall(r"(/\S+) \(", linked):
        copied = tree / library[1:]
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, copied)


def _archive(tree: Path) -> bytes:
    names = "\n".join(sorted(str(path.relative_to(tree)) for path in tree.rglob("*")))
    cpio = ["cpio", "--create", "--format=newc", "--quiet", "--owner=0:0"]
    return subprocess.run(cpio, cwd=tree, input=names.encode(), capture_output=True, check=True).stdout


def _output(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingProgramError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    """Fetch and make the files that guests boot from; if that fails, print why."""
    try:
        Boot.made()
    except (MissingProgramError, OSError) as missing:
        print(f"No VMs can be run: {missing}", file=sys.stderr)  # noqa: T201 - a command
