"""The one door to libvirt: virsh, asked by UUID, answered with sets, words or XML; never with columns."""

from __future__ import annotations

import os
import re
import subprocess
import xml.etree.ElementTree as ET  # libvirt's own answers, from this machine
from functools import lru_cache

from .errors import LibvirtError

PATIENCE_S = 60.0
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Virsh:
    """Libvirt's command line.

    Args:
        uri: which libvirt, such as ``qemu:///system``.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def run(self, command: str, *options: str, patience_s: float = PATIENCE_S) -> str:
        """Give what one of virsh's commands printed.

        Args:
            command: such as ``domstate``.
            options: each as ``--option=value``, so that no value is taken for an option.
            patience_s: when libvirt counts as hung, in seconds.

        Raises:
            LibvirtError: it failed; the message has virsh's words.
        """
        words = ["virsh", "--quiet", f"--connect={self.uri}", command, *options]
        plain = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=plain,
                timeout=patience_s,
                check=False,
            )
        except FileNotFoundError as error:
            raise LibvirtError(
                "This host has no virsh. Install libvirt's clients (libvirt-clients)."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise LibvirtError(f"virsh {command} didn't come back in {patience_s:.0f} s.") from error
        if done.returncode:
            raise LibvirtError(f"virsh {command} failed: {_words(done.stderr) or 'it said nothing'}")
        return done.stdout.decode(errors="surrogateescape").strip()

    def uuids(self, *flags: str) -> set[str]:
        """Give the UUIDs of all domains, or of those that ``virsh list`` has with these flags."""
        return set(self.run("list", "--all", "--uuid", *flags).split())

    def state(self, uuid: str) -> str:
        """Give a domain's state in virsh's words, such as ``running``, ``paused``, ``shut off``."""
        return self.run("domstate", f"--domain={uuid}")

    def is_halted(self, uuid: str) -> bool:
        """Tell whether a domain stands still because it couldn't write to its disks."""
        return self.run("domstate", f"--domain={uuid}", "--reason") == "paused (I/O error)"

    def xml(self, uuid: str, *, inactive: bool = True) -> str:
        """Give a domain's definition: the persistent one, or the one in use; with its secrets."""
        flags = ["--inactive"] if inactive else []
        return self.run("dumpxml", f"--domain={uuid}", "--security-info", *flags)

    def autostarts(self, uuid: str) -> bool:
        """Tell whether a domain starts with its host."""
        return uuid in self.uuids("--autostart")

    def set_autostart(self, uuid: str, *, on: bool) -> None:
        """Have a domain start with its host, or not."""
        self.run("autostart", f"--domain={uuid}", *([] if on else ["--disable"]))

    def version(self) -> str:
        """Give libvirt's version, as ``9.0.0``."""
        said = self.run("version", "--daemon")
        found = re.search(r"library: libvirt (\S+)", said)
        if not found:
            raise LibvirtError(f"virsh version says no version: {said!r}")
        return found[1]

    @lru_cache(maxsize=1)  # noqa: B019 - a door lives as long as its process
    def images_running_machines(self) -> bool:
        """Tell whether libvirt and its emulator know ``backup-begin``.

        Raises:
            LibvirtError: it can't be asked. That isn't a no, for which machines would be down for hours.
        """
        found = ET.fromstring(self.run("domcapabilities")).find("./features/backup")  # noqa: S314
        return found is not None and found.get("supported") == "yes"


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID as libvirt writes it, and nothing else; only such become paths."""
    return _UUID.fullmatch(text) is not None


def _words(said: bytes) -> str:
    return " ".join(said.decode(errors="replace").replace("error: ", "").split())
