"""The transport of ``include/remote/transport.py``, over the SSH provider's hook."""

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import paramiko
from airflow.providers.ssh.hooks.ssh import SSHHook
from airflow.sdk.exceptions import AirflowException

from include.agent.heartbeat import SILENCE_S
from include.errors import (
    BackupError,
    ConfigError,
    HostError,
    SourceRefusedError,
    SourceUnreachableError,
    TransientError,
)
from include.remote import private_key
from include.remote.failures import killing_signal
from include.remote.ssh import Endpoint
from include.remote.transport import CommandResult

CONNECT_TIMEOUT_S = 20
KEEPALIVE_S = 15
UNACKNOWLEDGED_S = 45  # with that: a vanished host is noticed within a minute, whoever waits for it
PYTHON_MISSING = 127  # a POSIX shell's exit status for a command it can't find
_BLOCK_BYTES = 1 << 20
NO_STATUS = -1  # paramiko's exit status when the connection was lost first


class SshTransport:
    """A remote host behind an Airflow connection; only the connection's own host key is accepted.

    Args:
        ssh_conn_id: the id of an Airflow SSH connection.

    Raises:
        ConfigError: the connection doesn't pin a host key, or has no key to log in with.
    """

    def __init__(self, ssh_conn_id: str) -> None:
        self.ssh_conn_id = ssh_conn_id
        self.hook = _hook(ssh_conn_id)
        self.endpoint = _endpoint(self.hook, ssh_conn_id)

    def open(self, command: str, program: bytes) -> "SshSession":
        """Start a command, quoted by the caller for a POSIX shell, and send it its program.

        Raises:
            SourceRefusedError: the host key differs from the connection's, or our key is refused.
            SourceUnreachableError: a transient error.
        """
        with self.errors():
            session = SshSession(self._begin(command), self.errors, self._name)
            session.send(program)
            return session

    def run(self, command: str, stdin: bytes = b"") -> CommandResult:
        """Run a command, quoted by the caller for a POSIX shell, and wait for its end.

        Raises:
            SourceRefusedError: the host key differs from the connection's, or our key is refused.
            SourceUnreachableError: a transient error; the command may still be running on the host.
        """
        with self.errors():
            channel = self._begin(command)
            try:
                with suppress(OSError):  # a command that has ended reads no more; its status says why
                    channel.sendall(stdin)
                    channel.shutdown_write()
                output = channel.makefile("rb").read()
                errors = channel.makefile_stderr("rb").read().decode("utf-8", "backslashreplace").strip()
                status = _exit_status(channel)
            finally:
                channel.close()
            if status == NO_STATUS:
                raise EOFError("the connection was lost")
            return CommandResult(status, output, errors)

    def put(self, path: str, content: bytes) -> None:
        """Write a file over SFTP, atomically.

        Raises:
            HostError: the file can't be written.
            SourceRefusedError: the host key differs from the connection's, or our key is refused.
            SourceUnreachableError: a transient error.
        """
        part = f"{path}.{uuid.uuid4().hex}"
        with self.errors(), self._sftp() as (channel, sftp):
            try:
                with sftp.open(part, "wb") as file:
                    file.write(content)
                sftp.posix_rename(part, path)
            except OSError as error:
                if channel.closed or isinstance(error, TimeoutError):
                    raise  # the connection failed; a refusal by the server leaves it open
                with suppress(OSError):
                    sftp.remove(part)
                raise HostError(f"{self.ssh_conn_id}: {path} can't be written: {error}.") from error

    @contextmanager
    def _sftp(self) -> Iterator[tuple[paramiko.Channel, paramiko.SFTPClient]]:
        transport = self._transport()
        with ExitStack() as opened:
            try:
                channel = opened.enter_context(self._begin(subsystem="sftp"))
                sftp = opened.enter_context(paramiko.SFTPClient(channel))
            except (OSError, paramiko.SSHException, EOFError) as error:
                if isinstance(error, TimeoutError) or not transport.is_active():
                    raise  # the connection failed; a refusal by the server only closes the channel
                raise HostError(
                    f"{self.ssh_conn_id} refuses SFTP: {error}. Put 'Subsystem sftp internal-sftp' into its "
                    "sshd_config, and remove any command= of the key from its authorized_keys."
                ) from error
            yield channel, sftp

    def _begin(self, command: str = "", *, subsystem: str = "") -> paramiko.Channel:
        channel = self._transport().open_session(timeout=CONNECT_TIMEOUT_S)
        channel.settimeout(SILENCE_S)
        channel.invoke_subsystem(subsystem) if subsystem else channel.exec_command(command)
        return channel

    def _transport(self) -> paramiko.Transport:
        transport = self.hook.get_conn().get_transport()
        if transport is None:
            raise EOFError("the connection was closed")
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_S * 1000)
        return transport

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise errors of the connection within a block as this project's errors."""
        try:
            yield
        except (OSError, paramiko.SSHException, EOFError) as error:
            raise self._error(error) from error

    @property
    def _name(self) -> str:
        return (
            f"{self.endpoint.user}@{self.endpoint.host}:{self.endpoint.port} (connection {self.ssh_conn_id})"
        )

    def _error(self, error: Exception) -> BackupError:
        name = self._name
        if isinstance(error, paramiko.BadHostKeyException):
            return SourceRefusedError(
                f"{name} shows another host key than the connection's host_key. Find out why before you "
                "change the connection."
            )
        if isinstance(error, paramiko.AuthenticationException):
            return SourceRefusedError(f"{name} refuses the connection's key: {error}")
        if isinstance(error, socket.gaierror):
            return SourceUnreachableError(f"The name of {name} can't be resolved: {error.strerror}.")
        return SourceUnreachableError(
            f"{name} can't be reached, or the connection was lost: {str(error) or type(error).__name__}."
        )


class SshSession:
    """A remote program that answers line by line.

    Args:
        channel: its SSH channel.
        errors: a context manager that raises errors of the connection as this project's errors.
        name: the host's, for messages.
    """

    def __init__(
        self, channel: paramiko.Channel, errors: Callable[[], AbstractContextManager[None]], name: str
    ) -> None:
        self._channel = channel
        self._unread = b""
        self._sending = threading.Lock()
        self._errors = errors
        self._name = name

    def ask(self, line: bytes) -> bytes:
        """Send one line, and return the next that isn't blank: blank lines only show that the program runs.

        Raises:
            SourceUnreachableError: the connection was lost, or silent for ``SILENCE_S``.
            BackupError: the program has ended; gives its exit status and stderr.
        """
        with self._errors():
            self.send(line + b"\n")
            answer: bytes
            while not (answer := self._read_line()).strip():
                if not answer:
                    raise self._end()
            return answer

    def _read_line(self) -> bytes:
        """Return the next line; an empty one at the end of the output.

        paramiko's own ``readline`` takes time by the square of the line's length.
        """
        parts = [self._unread]
        while b"\n" not in parts[-1] and (block := self._channel.recv(_BLOCK_BYTES)):
            parts.append(block)
        end, newline, self._unread = parts[-1].partition(b"\n")
        return b"".join([*parts[:-1], end, newline])

    def send(self, text: bytes) -> None:
        """Send text without waiting for an answer."""
        try:
            with self._sending:
                self._channel.sendall(text)
        except OSError:
            # A program that has ended closes the channel, too; its stderr says more than the socket's error.
            if self._channel.exit_status_ready():
                raise self._end() from None
            raise

    def beat(self) -> None:
        """Send a blank line, unless something is being sent."""
        if self._sending.acquire(blocking=False):
            try:
                if self._channel.send_ready():
                    self._channel.sendall(b"\n")
            finally:
                self._sending.release()

    def close(self) -> None:
        """Close the channel, even if the connection is lost already."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.close()

    def _end(self) -> BackupError:
        status = _exit_status(self._channel)
        stderr = self._channel.makefile_stderr("rb").read().decode("utf-8", "backslashreplace").strip()
        if status == PYTHON_MISSING:
            return BackupError(f"{self._name} has no python3 on its PATH: {stderr}")
        if status == NO_STATUS:
            return SourceUnreachableError(f"The connection to {self._name} was lost while it answered.")
        error = TransientError if killing_signal(status) else BackupError
        return error(f"The program on {self._name} ended with status {status}: {stderr or 'no message'}")


def _exit_status(channel: paramiko.Channel) -> int:
    """Return the exit status of a command that has closed its output; paramiko itself waits for ever."""
    if not channel.status_event.wait(SILENCE_S):
        raise TimeoutError(f"no exit status within {SILENCE_S} s")
    return channel.recv_exit_status()


def _hook(ssh_conn_id: str) -> SSHHook:
    try:
        # One attempt: Airflow's own retries come after a delay, and the UI shows them.
        hook = SSHHook(
            ssh_conn_id, conn_timeout=CONNECT_TIMEOUT_S, conn_retry_attempts=1, no_host_key_check=False
        )
    except (ValueError, AirflowException, paramiko.SSHException) as wrong:
        reason = _inline_key_problem(ssh_conn_id) or str(wrong)
        raise ConfigError(f"The Airflow connection {ssh_conn_id}: {reason}") from wrong
    hook.keepalive_interval = KEEPALIVE_S
    hook.compress = False  # a manifest of 3,000 files is 200 KB: compressing it takes longer than sending it
    return hook


def _inline_key_problem(ssh_conn_id: str) -> str:
    """Return what is wrong with a key that the hook refuses; empty if the connection has none."""
    try:
        written = SSHHook.get_connection(ssh_conn_id).extra_dejson.get("private_key")
    except (ValueError, AirflowException):
        return ""
    return private_key.problem(written) if isinstance(written, str) else ""


def _key_in(key_file: str, ssh_conn_id: str) -> str:
    try:
        return Path(key_file).read_text(encoding="utf-8")
    except (OSError, ValueError) as wrong:
        raise ConfigError(
            f"The key_file of the Airflow connection {ssh_conn_id} can't be read: {wrong}"
        ) from wrong


def _endpoint(hook: SSHHook, ssh_conn_id: str) -> Endpoint:
    if hook.host_key is None or hook.allow_host_key_change:
        raise ConfigError(
            f"The Airflow connection {ssh_conn_id} must pin the server's host key: put the type and key of "
            f"`ssh-keyscan -t ed25519 {hook.remote_host}`, once compared with the server's own, as host_key "
            "into its extra, and no allow_host_key_change."
        )
    # Reading a connection is a request to the API server, which the hook has made once already.
    extra = {} if hook.key_file else hook.get_connection(ssh_conn_id).extra_dejson
    written = _key_in(hook.key_file, ssh_conn_id) if hook.key_file else extra.get("private_key")
    if not written or extra.get("private_key_passphrase"):
        raise ConfigError(
            f"The Airflow connection {ssh_conn_id} needs a key_file or private_key in its extra, and no "
            "passphrase: rsync's ssh can't ask for one."
        )
    if wrong := private_key.problem(written):
        raise ConfigError(f"The Airflow connection {ssh_conn_id}: {wrong}")
    return Endpoint(
        host=hook.remote_host,
        port=int(hook.port or 22),
        user=str(hook.username),
        host_key=f"{hook.host_key.get_name()} {hook.host_key.get_base64()}",
        private_key=private_key.normalized(written),
    )
