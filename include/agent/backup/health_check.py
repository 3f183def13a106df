"""The health check: what must be seen before a VM counts as running again."""

from __future__ import annotations

import socket
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from include.agent.errors import LibvirtError, NotBackError, NotPossibleError
from include.agent.virsh import Virsh

POLL_S = 0.1
CONNECT_S = 2.0
# Checked if ``same_ports`` is set and no ports are named: those that servers commonly listen on.
COMMON_PORTS = (22, 25, 53, 80, 111, 139, 389, 443, 445, 993, 2049, 3306, 3389, 5432, 6379, 8000, 8080, 8443)


class HealthCheck:
    """The checks of one VM. Make it before the VM is stopped, as it records which ports answer then.

    Args:
        virsh: the host's libvirt.
        uuid: the VM's UUID.
        request: ``guest_agent``, ``address``, ``ports``, ``same_ports`` and ``timeout_s``.

    Raises:
        NotPossibleError: ports are to be checked, but the VM's address isn't known.
    """

    def __init__(self, virsh: Virsh, uuid: str, request: dict[str, Any]) -> None:
        self._virsh = virsh
        self._uuid = uuid
        self._agent = bool(request["guest_agent"])
        self._timeout_s = float(request["timeout_s"])
        ports = request["ports"] or (COMMON_PORTS if request["same_ports"] else ())
        self._address = (request["address"] or self._own_address()) if ports else None
        silent = self._silent(ports) if request["same_ports"] else set()
        self._ports = [port for port in ports if port not in silent]

    def resolved(self) -> dict[str, Any]:
        """Return a request for the same checks, which doesn't depend on what answers when it is used."""
        return {
            "guest_agent": self._agent,
            "address": self._address,
            "ports": self._ports,
            "same_ports": False,
            "timeout_s": self._timeout_s,
        }

    def wait(self) -> str:
        """Wait until all checks succeed.

        Returns:
            what was seen, as a sentence.

        Raises:
            NotBackError: a check didn't succeed within the timeout; the message says which.
        """
        deadline = time.monotonic() + self._timeout_s
        while missing := self.missing():
            if time.monotonic() > deadline:
                raise NotBackError(f"After {self._timeout_s:.0f} s there is still no sign of: {missing}.")
            time.sleep(POLL_S)
        return self._seen()

    def missing(self) -> str | None:
        """Check once; return what there is no sign of, or None if all checks succeed."""
        try:
            state = self._virsh.state(self._uuid)
        except LibvirtError as error:
            return f"libvirt ({error})"
        if state != "running":
            return f"a running VM (it is {state})"
        if self._agent and not self._guest_agent_answers():
            return "its guest agent"
        silent = ", ".join(str(port) for port in sorted(self._silent(self._ports)))
        return f"TCP port {silent} at {self._address}" if silent else None

    def _seen(self) -> str:
        seen = ["libvirt reports it running"]
        seen += ["its guest agent answers"] if self._agent else []
        seen += [f"port {', '.join(map(str, self._ports))} answers at {self._address}"] if self._ports else []
        only_state = len(seen) == 1
        return ", ".join(seen).capitalize() + ("; no further check is configured." if only_state else ".")

    def _guest_agent_answers(self) -> bool:
        with suppress(LibvirtError):
            self._virsh.guest_agent(self._uuid, "guest-ping")
            return True
        return False

    def _silent(self, ports: Collection[int]) -> set[int]:
        if not ports:
            return set()
        with ThreadPoolExecutor(len(ports)) as threads:
            return {port for port, is_open in zip(ports, threads.map(self._answers, ports)) if not is_open}

    def _answers(self, port: int) -> bool:
        with suppress(OSError), socket.create_connection((self._address, port), CONNECT_S):
            return True
        return False

    def _own_address(self) -> str:
        """Return the VM's first address that isn't local to it or its link, as its guest agent reports it."""
        with suppress(LibvirtError, AttributeError, KeyError, TypeError):  # the guest may answer anything
            for interface in self._virsh.guest_agent(self._uuid, "guest-network-get-interfaces"):
                for address in interface.get("ip-addresses", []):
                    if not address["ip-address"].startswith(("127.", "::1", "fe80", "169.254.")):
                        return str(address["ip-address"])
        raise NotPossibleError(
            "Its TCP ports are to be checked, but its address isn't known: none is configured, and no guest "
            "agent reports one. Write its address into the site file (health_check: address)."
        )
