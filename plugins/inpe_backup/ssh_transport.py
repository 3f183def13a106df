"""The transport of ``include/remote/transport.py``, over the SSH provider's hook."""

import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
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
)
from include.remote import private_key
from include.remote.ssh import Endpoint
from include.remote.transport import CommandResult
from inpe_backup.ssh_session import NO_STATUS, SshSession, exit_status

CONNECT_TIMEOUT_S = 20
KEEPALIVE_S = 15
UNACKNOWLEDGED_S = 45  # with that: a vanished host is noticed within a minute, whoever waits for it


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
                status = exit_status(channel)
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
        if isinstance(transport.sock, socket.socket):  # not a proxy's
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
