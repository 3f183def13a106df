"""Proof of life: what must be seen before a machine counts as back."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from .errors import LibvirtError, NotBackError, NotPossibleError
from .virsh import Virsh

POLL_S = 0.1
CONNECT_S = 2.0
# Asked when the same ports are wanted as before, and none are named: what servers commonly offer.
COMMON_PORTS = (22, 25, 53, 80, 111, 139, 389, 443, 445, 993, 2049, 3306, 3389, 5432, 6379, 8000, 8080, 8443)


class Signs:
    """The signs of life that are asked of a machine, as they were before it was stopped.

    Args:
        virsh: the host's libvirt.
        uuid: whose.
        wanted: ``guest_agent``, ``address``, ``ports``, ``same_ports`` and ``timeout_s`` of the request.

    Raises:
        NotPossibleError: its ports can't be asked, because nobody knows its address.
    """

    def __init__(self, virsh: Virsh, uuid: str, wanted: dict[str, Any]) -> None:
        self._virsh = virsh
        self._uuid = uuid
        self._agent = bool(wanted["guest_agent"])
        self._timeout_s = float(wanted["timeout_s"])
        ports = wanted["ports"] or (COMMON_PORTS if wanted["same_ports"] else ())
        self._address = (wanted["address"] or self._own_address()) if ports else None
        silent = self._silent(ports) if wanted["same_ports"] else set()
        self._ports = [port for port in ports if port not in silent]

    def wait(self) -> str:
        """Wait until all of them are seen.

        Returns:
            what was seen, as a sentence.

        Raises:
            NotBackError: they weren't, in time; says which.
        """
        deadline = time.monotonic() + self._timeout_s
        while missing := self._missing():
            if time.monotonic() > deadline:
                raise NotBackError(f"After {self._timeout_s:.0f} s there is still no sign of: {missing}.")
            time.sleep(POLL_S)
        return self._seen()

    def _missing(self) -> str | None:
        try:
            state = self._virsh.state(self._uuid)
        except LibvirtError as error:
            return f"libvirt ({error})"
        if state != "running":
            return f"a running machine (it's {state})"
        if self._agent and not self._pinged():
            return "its guest agent"
        silent = ", ".join(str(port) for port in sorted(self._silent(self._ports)))
        return f"TCP port {silent} at {self._address}" if silent else None

    def _seen(self) -> str:
        signs = ["libvirt says that it runs"]
        signs += ["its guest agent answers"] if self._agent else []
        signs += (
            [f"port {', '.join(map(str, self._ports))} answers at {self._address}"] if self._ports else []
        )
        nothing = len(signs) == 1
        return ", ".join(signs).capitalize() + ("; no other sign was asked for." if nothing else ".")

    def _pinged(self) -> bool:
        with suppress(LibvirtError):
            self._ask("guest-ping")
            return True
        return False

    def _ask(self, command: str) -> Any:
        said = self._virsh.run(
            "qemu-agent-command",
            f"--domain={self._uuid}",
            "--timeout=2",
            f"--cmd={json.dumps({'execute': command})}",
        )
        return json.loads(said)["return"]

    def _silent(self, ports: Collection[int]) -> set[int]:
        if not ports:
            return set()
        with ThreadPoolExecutor(len(ports)) as threads:
            return {port for port, there in zip(ports, threads.map(self._answers, ports)) if not there}

    def _answers(self, port: int) -> bool:
        with suppress(OSError), socket.create_connection((self._address, port), CONNECT_S):
            return True
        return False

    def _own_address(self) -> str:
        """Give the machine's first address that others can reach, as its guest agent knows it."""
        with suppress(LibvirtError, KeyError, ValueError):
            for interface in self._ask("guest-network-get-interfaces"):
                for address in interface.get("ip-addresses", []):
                    if not address["ip-address"].startswith(("127.", "::1", "fe80", "169.254.")):
                        return str(address["ip-address"])
        raise NotPossibleError(
            "Its TCP ports are to prove that it's back, but no address is given, and no guest agent tells "
            "one. Write its address into the site file (proof: address)."
        )
