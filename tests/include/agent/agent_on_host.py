"""The agent on a stand-in KVM host, called over SSH as the backup calls it."""

import json
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from include.remote import zipapps
from tests.site.kvm_host import STATE, KvmHost

HEALTH_CHECK: dict[str, Any] = {
    "guest_agent": False,
    "address": None,
    "ports": [],
    "same_ports": False,
    "timeout_s": 20,
}
REQUEST: dict[str, Any] = {
    "run": "this week",
    "method": "cold",
    "managed_save": "refuse",
    "on_timeout": "leave",
    "restart_changes": "refuse",
    "shutdown_timeout_s": 30,
    "watchdog_s": 60,
    "scratch": None,
    "health_check": HEALTH_CHECK,
}


@dataclass(frozen=True)
class Answer:
    """The result of a command.

    Args:
        status: the agent's exit status; 255 if the SSH session was cut.
        output: the JSON that it printed.
        errors: its standard error.
    """

    status: int
    output: dict[str, Any]
    errors: str

    @property
    def steps(self) -> list[str]:
        """The names of the steps that it took to begin a backup."""
        return [step["step"] for step in self.output["steps"]]


class Agent:
    """Runs the agent on a host over SSH.

    Args:
        host: the host, to which the agent is copied.
        state: the agent's state folder there.
    """

    def __init__(self, host: KvmHost, state: str = STATE) -> None:
        self.host = host
        self.state = state
        name, program = zipapps.agent()
        host.agents_folder.mkdir(mode=0o711, exist_ok=True)
        (host.agents_folder / name).write_bytes(program)
        self._known = host.ssh.folder / "known_hosts"
        self._program = f"{STATE}/{name}"

    def call(self, *arguments: str, request: dict[str, Any] | None = None) -> Answer:
        """Run a command, and return its result."""
        process = self.begin(*arguments, request=request)
        output, errors = process.communicate()
        return Answer(process.returncode, json.loads(output.strip() or "{}"), errors)

    def begin(self, *arguments: str, request: dict[str, Any] | None = None) -> "subprocess.Popen[str]":
        """Start a command."""
        with tempfile.TemporaryFile("w+") as stdin:
            stdin.write(json.dumps(request or {}))
            stdin.seek(0)
            return self._run(arguments, stdin)

    def reader(self, vm: str, run: str = "this week") -> "subprocess.Popen[str]":
        """Start to receive a VM's open backup, and return once the agent has answered the greeting."""
        reading = self._run(("send", self.uuid(vm)), subprocess.PIPE)
        assert reading.stdin is not None
        assert reading.stdout is not None
        reading.stdin.write(json.dumps({"run": run}) + "\n")
        reading.stdin.flush()
        assert "disks" in json.loads(reading.stdout.readline())
        return reading

    def send(self, vm: str, run: str = "this week") -> dict[str, Any]:
        """Return the agent's answer to the greeting of a receiver."""
        process = self.begin("send", self.uuid(vm), request={"run": run})
        output, _ = process.communicate(timeout=60)
        return dict(json.loads(output.splitlines()[0]))

    def _run(self, arguments: tuple[str, ...], stdin: "IO[str] | int") -> "subprocess.Popen[str]":
        self._known.write_text(self.host.ssh.known_hosts, encoding="ascii")
        options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={self._known}"]
        options += ["IdentitiesOnly=yes", f"IdentityFile={self.host.ssh.key_file}"]
        target = ["-p", str(self.host.ssh.port), f"{self.host.ssh.login}@127.0.0.1"]
        client = ["ssh", "-F", "none", *(part for option in options for part in ("-o", option)), *target]
        remote = shlex.join(["python3", self._program, f"--state={self.state}", *arguments])
        return subprocess.Popen(
            [*client, remote], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def start_begin_backup(self, vm: str, **changed: object) -> "subprocess.Popen[str]":
        """Start to begin a VM's backup, by the VM's name."""
        return self.begin("begin-backup", self.uuid(vm), request={**REQUEST, **changed})

    def begin_backup(self, vm: str, **changed: object) -> Answer:
        """Begin a VM's backup, by the VM's name; the request is ``REQUEST`` with the given changes."""
        return self.call("begin-backup", self.uuid(vm), request={**REQUEST, **changed})

    def end_backup(self, vm: str, *options: str) -> Answer:
        """End a VM's backup, by the VM's name."""
        return self.call("end-backup", self.uuid(vm), *options)

    def uuid(self, vm: str) -> str:
        """Return a VM's UUID."""
        return self.host.virsh("domuuid", f"--domain={vm}")

    def journal(self, vm: str) -> list[str]:
        """Return the names of the steps in a VM's open journal."""
        path = self.host.agents_folder / "vms" / self.uuid(vm) / "journal.jsonl"
        if not path.exists():
            return []
        return [json.loads(line)["step"] for line in path.read_text(encoding="utf-8").splitlines()]

    def left_behind(self) -> list[str]:
        """Return what is left of backups: work folders, clones, watchdogs, journals, files, processes."""
        folder = self.host.agents_folder
        found = [*folder.glob("x-*"), *folder.glob("vms/*/watchdog.json")]
        found += [*folder.glob("vms/*/journal.jsonl"), *folder.glob("vms/*/files")]
        found += host_clones(self.host)
        processes = self.host.run("pgrep", "--list-full", "--full", "qemu-nbd|agent-", check=False)
        return [str(path) for path in found] + processes.splitlines()


def host_clones(host: KvmHost) -> list[Path]:
    """Return the folders for clones beside a host's disks."""
    return list(host.seen(host.disks).glob(".inpe-backup-*"))


def host_fault(host: KvmHost, running: tuple[str, ...] = ("maq1",)) -> str:
    """Clean up after a test; return what is still wrong with the host, or an empty text.

    Args:
        host: the host.
        running: the VMs that should run.
    """
    if broken := host.fault():
        return broken
    host.cancel_fault()
    agent = Agent(host)
    if agent.left_behind():
        for vm in host.virsh("list", "--all", "--name").split():
            agent.end_backup(vm)
    try:
        wait_until(lambda: not agent.left_behind(), "nothing left behind", 10)
    except AssertionError:
        return "\n".join(["These were left behind:", *agent.left_behind()])
    down = [vm for vm in running if host.state(vm) != "running"]
    return f"{', '.join(down)} should be running, but isn't." if down else ""


@contextmanager
def stalled_begin(host: KvmHost, agent: Agent, step: str, **changed: object) -> Iterator[list[Answer]]:
    """Stall the backup of maq1 at a step during the block; the list then gets its answer."""
    host.plan_fault(step, "stall")
    process, answers = agent.start_begin_backup("maq1", **changed), list[Answer]()
    wait_until(host.fault_happened, "the step")
    try:
        yield answers
    finally:
        host.go_on()
    output, errors = process.communicate(timeout=120)
    answers.append(Answer(process.returncode, json.loads(output or "{}"), errors))


def freeze_status(host: KvmHost, vm: str) -> str:
    """Return what a guest agent reports: ``frozen`` or ``thawed``; an empty text if it gives no answer."""
    asked = json.dumps({"execute": "guest-fsfreeze-status"})
    command = ["qemu-agent-command", f"--domain={vm}", "--timeout=2", f"--cmd={asked}"]
    answer = host.run("virsh", "--connect=qemu:///system", *command, check=False)
    return str(json.loads(answer)["return"]) if answer else ""


def writes(host: KvmHost, vm: str) -> Callable[[], bool]:
    """Return a function that returns whether the guest has written to its file system since."""
    ticks = host.console(vm).count("tick")
    return lambda: host.console(vm).count("tick") > ticks + 2


def wait_until(reached: Callable[[], object], what: str, timeout_s: float = 30) -> None:
    """Wait until a condition is true.

    Raises:
        AssertionError: it isn't within the timeout.
    """
    deadline = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.1)
