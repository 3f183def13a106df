"""A short command of the agent on a KVM host: the provider's SSHOperator with our models and errors."""

from collections.abc import Sequence
from typing import Any, TypeVar

from airflow.providers.ssh.operators.ssh import SSHOperator
from airflow.sdk.exceptions import AirflowException

from include.agent.heartbeat import SILENCE_S
from include.config import site_file
from include.models import Model
from include.remote.transport import CommandResult
from include.vms.host import Host
from inpe_backup.operators.backup_operator import BackupOperator

Answer = TypeVar("Answer", bound=Model)


class AgentCommandOperator(BackupOperator, SSHOperator):  # type: ignore[misc]  # SSHOperator.execute's context is optional
    """A task that runs a command of the agent on the host behind ``ssh_conn_id``.

    The provider's operator returns base64 and raises AirflowException for any exit status. This one validates
    the answer against its model, and turns the exit status into one of this project's errors.

    Args:
        ssh_conn_id: the host's connection; one of ``vms.hosts`` in the site file.
    """

    template_fields: Sequence[str] = ("ssh_conn_id",)
    template_ext: Sequence[str] = ()

    def __init__(self, *, ssh_conn_id: Any, **kwargs: Any) -> None:
        super().__init__(ssh_conn_id=ssh_conn_id, **kwargs)

    def ask(self, answer: type[Answer], *arguments: str) -> Answer:
        """Install the agent, run one of its commands, and return its answer.

        Args:
            answer: the answer's model.
            arguments: the command and its options.

        Raises:
            BackupError: the host can't be reached, or the agent refuses; see ``Host.answer``.
        """
        from inpe_backup.ssh_transport import SshTransport  # noqa: PLC0415 - paramiko takes 150 ms

        section = site_file.current().vms.host(str(self.ssh_conn_id))
        transport = SshTransport(section.ssh_conn_id)
        host = Host(transport, section.uri, section.state, section.scratch)
        self.ssh_hook, self.command = transport.hook, host.install_agent().command(*arguments)
        with transport.errors(), self.get_ssh_client() as client:
            try:
                status, output, errors = self.hook.exec_ssh_client_command(
                    client, self.command, get_pty=False, environment=None, timeout=SILENCE_S
                )
            except AirflowException as silent:
                raise TimeoutError(f"it sent nothing for {SILENCE_S} s") from silent
        return host.answer(answer, CommandResult(status, output, errors.decode("utf-8", "backslashreplace")))
