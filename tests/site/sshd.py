"""A real OpenSSH server in the role of a host, with its own port and keys, apart from the machine's.

It runs as the current user, who alone can log in, with the key made here.
"""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.site import processes
from tests.site.ports import LOOPBACK, kept_port
from tests.site.switched import Switched

_START_PATIENCE_S = 10.0
_STOP_PATIENCE_S = 0.2  # the listener ends at once, sessions only when killed
# As root, sshd confines its helper process to this empty folder, which a service manager usually makes.
_PRIVILEGE_SEPARATION = Path("/run/sshd")

_CONFIG = """\
ListenAddress {address}
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd.pid
# Test folders are below /tmp, which everybody may write to; StrictModes would refuse the key there.
StrictModes no
# Without PAM, the server needs neither root nor the machine's own log-in settings.
UsePAM no
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
# A home of its own: the .bashrc of this machine's user must not count.
SetEnv HOME={folder}/home{environment}
UseDNS no
PrintMotd no
Subsystem sftp internal-sftp
LogLevel VERBOSE
# Many tests use one server.
MaxStartups 100:30:200
MaxSessions 100
"""
# OpenSSH 9.8 and later block an address after failures, which tests produce.
_NEWER_OPTIONS = ("PerSourcePenalties no",)


class MissingProgramError(RuntimeError):
    """A program is missing on this machine; the message has the command that installs it."""


class SshServer(Switched):
    """An sshd on 127.0.0.1; a context manager.

    Args:
        folder: has keys, configuration, log, and the port, for the next start.
        enter: returns the prefix of a command that runs the server elsewhere, as in a namespace.
        environment: variables of its sessions.
    """

    def __init__(
        self,
        folder: Path,
        enter: Callable[[], Sequence[str]] = tuple,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.folder = folder.resolve()
        self._enter = enter
        self._environment = environment
        self.login = pwd.getpwuid(os.geteuid()).pw_name
        self.port = 0
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.folder / "sshd.log"

    @property
    def key_file(self) -> Path:
        """The private key that may log in."""
        return self.folder / "user_key"

    @property
    def host_key(self) -> str:
        """The server's public key, ``ssh-ed25519 AAAA...``."""
        return _public(self.folder / "host_key")

    @property
    def known_hosts(self) -> str:
        """The ``known_hosts`` line of this server."""
        return f"[{LOOPBACK}]:{self.port} {self.host_key}\n"

    @property
    def connection(self) -> dict[str, Any]:
        """The server as an Airflow connection in JSON form, even before it starts."""
        if not self.port:
            self._prepare()
        return {
            "conn_type": "ssh",
            "host": LOOPBACK,
            "port": self.port,
            "login": self.login,
            "extra": {"key_file": str(self.key_file), "host_key": self.host_key},
        }

    @property
    def leader(self) -> int | None:
        """The PID of the listening process, while it runs."""
        return self._server.pid if self._server else None

    def start(self) -> None:
        """Start the server, and wait until it answers; make its keys if there are none.

        Raises:
            MissingProgramError: sshd or ssh-keygen isn't installed.
            RuntimeError: it didn't start; the message has the end of its log.
        """
        sshd = _program("sshd")
        self._prepare()
        self._end_leftover()
        config = self._write_config(sshd)
        self._server = processes.start([*self._enter(), sshd, "-D", "-e", "-f", str(config)], log=self.log)
        self.wait_until_it_answers()

    def stop(self) -> None:
        """Stop the server and all its sessions; do nothing if it doesn't run."""
        if self._server is None:
            return
        leader, self._server = self._server, None
        processes.end([leader.pid], lambda: processes.family([leader.pid]), patience_s=_STOP_PATIENCE_S)
        leader.wait()

    def change_host_key(self) -> None:
        """Restart with a new host key on the same port, as if another machine answered."""
        self.stop()
        for part in ("host_key", "host_key.pub"):
            (self.folder / part).unlink(missing_ok=True)
        self.start()

    def refuse_key(self) -> None:
        """Refuse every key."""
        (self.folder / "authorized_keys").write_text("", encoding="ascii")

    def accept_key(self) -> None:
        """Accept the key of ``connection``."""
        (self.folder / "authorized_keys").write_text(_public(self.key_file) + "\n", encoding="ascii")

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._make_keys()
        self.port = kept_port(self.folder / "port")

    def _make_keys(self) -> None:
        for name in ("host_key", "user_key"):
            if not (self.folder / name).exists():
                keygen = [_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", name]
                subprocess.run([*keygen, "-f", str(self.folder / name)], check=True)
        self.accept_key()

    def _write_config(self, sshd: str) -> Path:
        if os.geteuid() == 0:
            _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        config = self.folder / "sshd_config"
        environment = "".join(f" {name}={value}" for name, value in self._environment.items())
        plain = _CONFIG.format(address=LOOPBACK, port=self.port, folder=self.folder, environment=environment)
        for options in (_NEWER_OPTIONS, ()):
            config.write_text(plain + "".join(f"{option}\n" for option in options), encoding="ascii")
            check = subprocess.run(
                [sshd, "-t", "-f", str(config)], capture_output=True, text=True, check=False
            )
            if check.returncode == 0:
                return config
        raise RuntimeError(f"{sshd} refuses {config}:\n{check.stderr}")

    def wait_until_it_answers(self) -> None:
        """Wait until the server accepts connections.

        Raises:
            RuntimeError: it doesn't in time; it's stopped, and the message has the end of its log.
        """
        server = self._server
        deadline = time.monotonic() + _START_PATIENCE_S
        while server and server.poll() is None and time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection((LOOPBACK, self.port), timeout=1) as client:
                if client.recv(8).startswith(b"SSH-2.0-"):
                    return
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(
            f"sshd on port {self.port} did not come up. {self.log} ends:\n{processes.tail(self.log)}"
        )

    def _end_leftover(self) -> None:
        """End the server of an earlier start that was killed before it could stop."""
        try:
            pid = int((self.folder / "sshd.pid").read_text(encoding="ascii"))
            title = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return
        # The PID may be another process by now, but not one with our configuration on its command line.
        if str(self.folder / "sshd_config").encode() in title:
            processes.end([pid], lambda: processes.family([pid]), patience_s=_STOP_PATIENCE_S)


def _public(key: Path) -> str:
    return " ".join(key.with_name(f"{key.name}.pub").read_text(encoding="ascii").split()[:2])


def _program(name: str) -> str:
    # sshd must be called by its absolute path, and /usr/sbin isn't on every PATH.
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        package = {"sshd": "openssh-server"}.get(name, "openssh-client")
        raise MissingProgramError(f"{name} is missing. Install it: sudo apt-get install {package}")
    return found
