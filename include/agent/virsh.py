"""Libvirt, through virsh. VMs are named by UUID; output is parsed as words or XML, never as columns."""

from __future__ import annotations

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET  # libvirt's own output, from this machine
from functools import lru_cache
from typing import Any

from include.agent.errors import LibvirtError

TIMEOUT_S = 60.0
GUEST_AGENT_S = 2
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Virsh:
    """Libvirt's command line.

    Args:
        uri: the libvirt connection, such as ``qemu:///system``.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def run(self, command: str, *options: str, timeout_s: float = TIMEOUT_S) -> str:
        """Run a virsh command and return its standard output, without line ends around it.

        Blanks stay: a name may begin or end with some.

        Args:
            command: such as ``domstate``.
            options: each as ``--option=value``, so that no value is taken for an option.
            timeout_s: the seconds after which libvirt counts as hung.

        Raises:
            LibvirtError: the command failed; the message contains virsh's error.
        """
        command_line = ["virsh", "--quiet", f"--connect={self.uri}", command, *options]
        try:
            done = subprocess.run(
                command_line,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env={**os.environ, "LC_ALL": "C"},
                timeout=timeout_s,
                check=False,
            )
        except FileNotFoundError as error:
            raise LibvirtError(
                "This host has no virsh. Install libvirt's clients (libvirt-clients)."
            ) from error
        except OSError as error:
            raise LibvirtError(f"virsh can't be run: {error}.") from error
        except subprocess.TimeoutExpired as error:
            raise LibvirtError(f"virsh {command} gave no answer within {timeout_s:.0f} s.") from error
        if done.returncode:
            reason = _one_line(done.stderr) or f"exit status {done.returncode}"
            raise LibvirtError(f"virsh {command} failed: {reason}")
        return done.stdout.decode(errors="surrogateescape").strip("\n")

    def uuids(self, *flags: str) -> set[str]:
        """Return the UUIDs of all domains, or of those that ``virsh list`` selects with these flags."""
        return set(self.run("list", "--all", "--uuid", *flags).split())

    def state(self, uuid: str) -> str:
        """Return a domain's state as virsh prints it, such as ``running``, ``paused``, ``shut off``."""
        return self.run("domstate", f"--domain={uuid}")

    def is_active(self, uuid: str) -> bool:
        """Return whether a domain is running or paused; not if it is off or undefined."""
        return uuid in self.run("list", "--uuid").split()

    def is_paused_on_io_error(self, uuid: str) -> bool:
        """Return whether QEMU paused a domain because it couldn't write to a disk."""
        return self.run("domstate", f"--domain={uuid}", "--reason") == "paused (I/O error)"

    def is_idle(self, uuid: str) -> bool:
        """Return whether libvirt isn't just changing a domain that runs."""
        return self.run("domcontrol", f"--domain={uuid}") == "ok"

    def is_suspended(self, uuid: str) -> bool:
        """Return whether a domain is paused because somebody asked for it (``virsh suspend``)."""
        return self.run("domstate", f"--domain={uuid}", "--reason") == "paused (user)"

    def written_bytes(self, uuid: str) -> int:
        """Return how much a running domain wrote to its disks since it was started."""
        output = self.run("domstats", f"--domain={uuid}", "--block", "--raw")
        return sum(
            int(count) for count in re.findall(r"^ *block\.\d+\.wr\.bytes=(\d+)$", output, re.MULTILINE)
        )

    def xml(self, uuid: str, *, inactive: bool = True) -> str:
        """Return a domain's definition, secrets included: the persistent one, or the running one."""
        flags = ["--inactive"] if inactive else []
        return self.run("dumpxml", f"--domain={uuid}", "--security-info", *flags)

    def autostarts(self, uuid: str) -> bool:
        """Return whether a domain starts with its host."""
        return uuid in self.uuids("--autostart")

    def set_autostart(self, uuid: str, *, on: bool) -> None:
        """Set whether a domain starts with its host."""
        self.run("autostart", f"--domain={uuid}", *([] if on else ["--disable"]))

    def guest_agent(self, uuid: str, command: str) -> Any:
        """Return what a guest's agent answers to a command without arguments.

        Raises:
            LibvirtError: it gives no answer within a few seconds, or refuses the command.
        """
        asked = json.dumps({"execute": command})
        output = self.run(
            "qemu-agent-command", f"--domain={uuid}", f"--timeout={GUEST_AGENT_S}", f"--cmd={asked}"
        )
        try:
            return json.loads(output)["return"]
        except (KeyError, TypeError, ValueError) as error:
            raise LibvirtError(
                f"Unexpected answer of the guest agent to {command}: {output[:200]!r}"
            ) from error

    def version(self) -> str:
        """Return libvirt's version, as ``9.0.0``."""
        output = self.run("version", "--daemon")
        found = re.search(r"library: libvirt (\S+)", output)
        if not found:
            raise LibvirtError(f"Unexpected output of virsh version: {output!r}")
        return found[1]

    @lru_cache(maxsize=1)  # noqa: B019 - an object lives as long as its process
    def supports_backup_begin(self) -> bool:
        """Return whether libvirt and QEMU support ``backup-begin``, which backs up a running VM.

        Raises:
            LibvirtError: libvirt gives no answer. That must not count as a no, which would mean hours of
                downtime.
        """
        found = ET.fromstring(self.run("domcapabilities")).find("./features/backup")  # noqa: S314
        return found is not None and found.get("supported") == "yes"


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID exactly as libvirt writes it; only such texts become paths."""
    return _UUID.fullmatch(text) is not None


def _one_line(output: bytes) -> str:
    return " ".join(output.decode(errors="replace").replace("error: ", "").split())
