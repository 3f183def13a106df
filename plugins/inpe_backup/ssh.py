"""From an Airflow SSH connection to the door that ``include`` asks a source through."""

import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import paramiko
from airflow.providers.ssh.hooks.ssh import SSHHook
from airflow.sdk.exceptions import AirflowException
from paramiko.pkey import UnknownKeyType

from include.errors import BackupError, ConfigError, HostError, SourceRefusedError, SourceUnreachableError
from include.machines.host import Ran
from include.transfer import Route

CONNECT_TIMEOUT_S = 20
SILENCE_S = 60  # the source's agent gives a sign of life every few seconds
PYTHON_MISSING = 127  # a POSIX shell's exit status for a command it can't find
NO_STATUS = -1  # what paramiko gives when the connection ended first


class SshDoor:
    """A remote host, reached by the provider's hook with the connection's own host key and no other.

    Args:
        connection: the id of an Airflow SSH connection.

    Raises:
        ConfigError: the connection doesn't pin a host key, or has no key to log in with.
    """

    def __init__(self, connection: str) -> None:
        self.connection = connection
        self._hook = _hook(connection)
        self.route = _route(self._hook, connection)

    def converse(self, command: str, program: bytes) -> "SshConversation":
        """Start a command, quoted by the caller for a POSIX shell, and send it its program.

        Raises:
            SourceRefusedError: another host key than the connection's, or our key isn't accepted.
            SourceUnreachableError: everything that may pass.
        """
        with self._meanings():
            conversation = SshConversation(self._begin(command), self._meanings, self._told)
            conversation.send(program)
            return conversation

    def run(self, command: str, stdin: bytes = b"") -> Ran:
        """Run a command, quoted by the caller for a POSIX shell, to its end.

        Raises:
            SourceRefusedError: another host key than the connection's, or our key isn't accepted.
            SourceUnreachableError: everything that may pass; the command may go on there.
        """
        with self._meanings():
            channel = self._begin(command)
            try:
                with suppress(OSError):  # a command that has ended takes nothing more: its status says why
                    channel.sendall(stdin)
                    channel.shutdown_write()
                output = channel.makefile("rb").read()
                errors = channel.makefile_stderr("rb").read().decode("utf-8", "backslashreplace").strip()
                status = channel.recv_exit_status()
            finally:
                channel.close()
            if status == NO_STATUS:
                raise EOFError("the connection was cut")
            return Ran(status, output, errors)

    def put(self, path: str, content: bytes) -> None:
        """Put a file there over SFTP, whole or not at all.

        Raises:
            HostError: it can't be written there.
            SourceRefusedError: another host key than the connection's, or our key isn't accepted.
            SourceUnreachableError: everything that may pass.
        """
        part = f"{path}.{uuid.uuid4().hex}"
        with self._meanings(), self._sftp() as (channel, sftp):
            try:
                with sftp.open(part, "wb") as file:
                    file.write(content)
                sftp.posix_rename(part, path)
            except OSError as error:
                if channel.closed or isinstance(error, TimeoutError):
                    raise  # that was the wire; the server's own refusals leave it open
                with suppress(OSError):
                    sftp.remove(part)
                raise HostError(f"{self.connection}: {path} can't be written there: {error}.") from error

    @contextmanager
    def _sftp(self) -> Iterator[tuple[paramiko.Channel, paramiko.SFTPClient]]:
        with ExitStack() as opened:
            try:
                channel = opened.enter_context(self._begin(subsystem="sftp"))
                sftp = opened.enter_context(paramiko.SFTPClient(channel))
            except (paramiko.SSHException, EOFError) as error:
                if not self._transport().is_active():
                    raise
                raise HostError(
                    f"{self.connection} gives its user no SFTP: {error}. Its sshd_config needs the line "
                    "'Subsystem sftp internal-sftp', and the connection's key no command of its own."
                ) from error
            yield channel, sftp

    def _begin(self, command: str = "", *, subsystem: str = "") -> paramiko.Channel:
        channel = self._transport().open_session(timeout=CONNECT_TIMEOUT_S)
        channel.settimeout(SILENCE_S)
        channel.invoke_subsystem(subsystem) if subsystem else channel.exec_command(command)
        return channel

    def _transport(self) -> paramiko.Transport:
        transport = self._hook.get_conn().get_transport()
        if transport is None:
            raise EOFError("the connection was closed")
        return transport

    @contextmanager
    def _meanings(self) -> Iterator[None]:
        try:
            yield
        except (OSError, paramiko.SSHException, EOFError) as error:
            raise self._meaning(error) from error

    @property
    def _told(self) -> str:
        return f"{self.route.user}@{self.route.host}:{self.route.port} (connection {self.connection})"

    def _meaning(self, error: Exception) -> BackupError:
        there = self._told
        if isinstance(error, paramiko.BadHostKeyException):
            return SourceRefusedError(
                f"{there} shows another host key than the connection's host_key. Find out why before you "
                "change the connection."
            )
        if isinstance(error, paramiko.AuthenticationException):
            return SourceRefusedError(f"{there} refuses the connection's key: {error}")
        if isinstance(error, socket.gaierror):
            return SourceUnreachableError(f"The name of {there} can't be resolved: {error.strerror}.")
        return SourceUnreachableError(
            f"{there} can't be reached, or went away: {str(error) or type(error).__name__}."
        )


class SshConversation:
    """A remote program that answers line by line.

    Args:
        channel: its SSH channel.
        meanings: turns what can go wrong on the wire into our errors.
        there: what people call the other end.
    """

    def __init__(
        self, channel: paramiko.Channel, meanings: Callable[[], AbstractContextManager[None]], there: str
    ) -> None:
        self._channel = channel
        self._answers = channel.makefile("rb")
        self._meanings = meanings
        self._there = there

    def ask(self, line: bytes) -> bytes:
        """Send one line and give the next that isn't blank: blank ones only show that it lives.

        Raises:
            SourceUnreachableError: the connection is gone, or silent for ``SILENCE_S``.
            BackupError: the program has ended; with its status and last words.
        """
        with self._meanings():
            self.send(line + b"\n")
            answer: bytes
            while not (answer := self._answers.readline()).strip():
                if not answer:
                    raise self._end()
            return answer

    def send(self, text: bytes) -> None:
        """Send what needs no answer."""
        try:
            self._channel.sendall(text)
        except OSError:
            # A program that has ended closes the channel, too; its last words say more than the socket.
            if self._channel.exit_status_ready():
                raise self._end() from None
            raise

    def close(self) -> None:
        """End it; of a connection that is gone already, there's nothing more to say."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.close()

    def _end(self) -> BackupError:
        status = self._channel.recv_exit_status()
        words = self._channel.makefile_stderr("rb").read().decode("utf-8", "backslashreplace").strip()
        if status == PYTHON_MISSING:
            return BackupError(f"{self._there} has no python3 on its PATH: {words}")
        if status == NO_STATUS:
            return SourceUnreachableError(f"The connection to {self._there} was cut while it answered.")
        ended = f"The program at {self._there} ended with status {status}"
        return BackupError(f"{ended}: {words or 'without a word'}")


def _hook(connection: str) -> SSHHook:
    try:
        # One attempt: Airflow's own retries come with a delay, and are seen in the UI.
        hook = SSHHook(
            connection, conn_timeout=CONNECT_TIMEOUT_S, conn_retry_attempts=1, no_host_key_check=False
        )
    except (ValueError, AirflowException, paramiko.SSHException) as wrong:
        raise ConfigError(f"The Airflow connection {connection}: {wrong}") from wrong
    hook.compress = False  # a listing of 3,000 files is 200 KB: sooner sent than packed
    return hook


def _require_key(key_file: Path, connection: str) -> None:
    try:
        paramiko.PKey.from_path(key_file)
    except (OSError, TypeError, ValueError, paramiko.SSHException, UnknownKeyType) as wrong:
        raise ConfigError(
            f"The key_file of the Airflow connection {connection} can't be used: {wrong}"
        ) from wrong


def _route(hook: SSHHook, connection: str) -> Route:
    if hook.host_key is None or hook.allow_host_key_change:
        raise ConfigError(
            f"The Airflow connection {connection} must pin the server's host key: put the type and key of "
            f"`ssh-keyscan -t ed25519 {hook.remote_host}`, once compared with the server's own, as host_key "
            "into its extra, and no allow_host_key_change."
        )
    # Asking Airflow for a connection is a request to its server; the hook has asked for this one already.
    extra = {} if hook.key_file else hook.get_connection(connection).extra_dejson
    if not (hook.key_file or extra.get("private_key")) or extra.get("private_key_passphrase"):
        raise ConfigError(
            f"The Airflow connection {connection} needs a key_file or private_key in its extra, and no "
            "passphrase: rsync's ssh has nobody to ask."
        )
    if hook.key_file:
        _require_key(Path(hook.key_file), connection)
    return Route(
        host=hook.remote_host,
        port=int(hook.port or 22),
        user=str(hook.username),
        host_key=f"{hook.host_key.get_name()} {hook.host_key.get_base64()}",
        key_file=hook.key_file,
        private_key=extra.get("private_key"),
    )
