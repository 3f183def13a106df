"""The agent on a stand-in KVM host, called over SSH as the backup calls it."""

import json
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from include.machines.shipped import agent_file
from tests.site.kvm_host import STATE, KvmHost

LIFE_SIGNS: dict[str, Any] = {
    "guest_agent": False,
    "address": None,
    "ports": [],
    "same_ports": False,
    "timeout_s": 20,
}
REQUEST: dict[str, Any] = {
    "run": "this week",
    "method": "cold",
    "on_timeout": "leave",
    "shutdown_timeout_s": 30,
    "lease_s": 60,
    "scratch": None,
    "proof": LIFE_SIGNS,
}


@dataclass(frozen=True)
class Answer:
    """What a call came to.

    Args:
        status: the agent's exit status; 255 when the session was cut.
        said: its JSON.
        errors: what it wrote on standard error.
    """

    status: int
    said: dict[str, Any]
    errors: str

    @property
    def steps(self) -> list[str]:
        """The names of the steps that a freeze took."""
        return [step["step"] for step in self.said["steps"]]


class Agent:
    """Calls the agent at a host.

    Args:
        host: where; the agent is put there.
        state: its folder for what it's doing.
    """

    def __init__(self, host: KvmHost, state: str = STATE) -> None:
        self.host = host
        self.state = state
        name, program = agent_file()
        host.agents_folder.mkdir(mode=0o711, exist_ok=True)
        (host.agents_folder / name).write_bytes(program)
        self._known = host.ssh.folder / "known_hosts"
        self._program = f"{STATE}/{name}"

    def call(self, *words: str, request: dict[str, Any] | None = None) -> Answer:
        """Run one of its commands."""
        asking = self.begin(*words, request=request)
        said, errors = asking.communicate()
        return Answer(asking.returncode, json.loads(said.strip() or "{}"), errors)

    def begin(self, *words: str, request: dict[str, Any] | None = None) -> "subprocess.Popen[str]":
        """Begin to run one of its commands."""
        with tempfile.TemporaryFile("w+") as heard:
            heard.write(json.dumps(request or {}))
            heard.seek(0)
            return self._run(words, heard)

    def reader(self, machine: str, run: str = "this week") -> "subprocess.Popen[str]":
        """Begin to read a machine's frozen disks, and go no further than the introduction."""
        reading = self._run(("serve", self.uuid(machine)), subprocess.PIPE)
        assert reading.stdin is not None
        assert reading.stdout is not None
        reading.stdin.write(json.dumps({"run": run}) + "\n")
        reading.stdin.flush()
        assert "disks" in json.loads(reading.stdout.readline())
        return reading

    def serve(self, machine: str, run: str = "this week") -> dict[str, Any]:
        """Give what a reader of a machine's frozen disks is told first."""
        asking = self.begin("serve", self.uuid(machine), request={"run": run})
        said, _ = asking.communicate(timeout=60)
        return dict(json.loads(said.splitlines()[0]))

    def _run(self, words: tuple[str, ...], stdin: "IO[str] | int") -> "subprocess.Popen[str]":
        self._known.write_text(self.host.ssh.known_hosts, encoding="ascii")
        options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={self._known}"]
        options += ["IdentitiesOnly=yes", f"IdentityFile={self.host.ssh.key_file}"]
        target = ["-p", str(self.host.ssh.port), f"{self.host.ssh.login}@127.0.0.1"]
        client = ["ssh", "-F", "none", *(word for option in options for word in ("-o", option)), *target]
        remote = shlex.join(["python3", self._program, f"--state={self.state}", *words])
        return subprocess.Popen(
            [*client, remote], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def begin_freeze(self, machine: str, **changed: object) -> "subprocess.Popen[str]":
        """Begin to freeze a machine, by its name."""
        return self.begin("freeze", self.uuid(machine), request={**REQUEST, **changed})

    def freeze(self, machine: str, **changed: object) -> Answer:
        """Freeze a machine, by its name; the request is ``REQUEST`` with what is changed."""
        return self.call("freeze", self.uuid(machine), request={**REQUEST, **changed})

    def release(self, machine: str, *words: str) -> Answer:
        """Release a machine, by its name."""
        return self.call("release", self.uuid(machine), *words)

    def uuid(self, machine: str) -> str:
        """Give a machine's UUID."""
        return self.host.virsh("domuuid", f"--domain={machine}")

    def journal(self, machine: str) -> list[str]:
        """Give the names of the steps in a machine's open journal."""
        path = self.host.agents_folder / "machines" / self.uuid(machine) / "journal.jsonl"
        if not path.exists():
            return []
        return [json.loads(line)["step"] for line in path.read_text(encoding="utf-8").splitlines()]

    def left_behind(self) -> list[str]:
        """Give what a freeze leaves that nobody released: sockets, scratch, leases, processes."""
        folder = self.host.agents_folder
        found = [*folder.glob("x-*"), *folder.glob("machines/*/lease.json")]
        found += [*folder.glob("machines/*/journal.jsonl"), *folder.glob("machines/*/kept")]
        processes = self.host.run("pgrep", "--list-full", "--full", "qemu-nbd|agent-", check=False)
        return [str(path) for path in found] + processes.splitlines()


def wait_until(reached: Callable[[], object], what: str, patience_s: float = 30) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it isn't, in time.
    """
    deadline = time.monotonic() + patience_s
    while not reached():
        assert time.monotonic() < deadline, f"after {patience_s:.0f} s still not: {what}"
        time.sleep(0.1)
