"""Change what happens at a log-in to the cluster: sshd can run a command first (sshd(8), ``command=``)."""

from pathlib import Path

from tests.session.needs import plain_user
from tests.site.sshd import SshServer


def force(server: SshServer, before: str) -> None:
    """Make every log-in run a shell prefix before the requested command.

    Args:
        server: a server that no other test uses.
        before: a prefix of a command, such as ``PATH=/opt/bin exec``.
    """
    _, _, key = (server.folder / "authorized_keys").read_text().rpartition("ssh-ed25519")
    command = f'{before} sh -c \\"$SSH_ORIGINAL_COMMAND\\"'
    (server.folder / "authorized_keys").write_text(f'command="{command}" ssh-ed25519{key}')


def bind_by_modes(server: SshServer) -> None:
    """Make file modes apply to the account, as they do to everybody but root."""
    force(server, " ".join(["exec", *plain_user()]))


def with_programs(server: SshServer, folder: Path) -> None:
    """Make the account find only the programs of one folder."""
    (folder / "sh").symlink_to("/bin/sh")
    force(server, f"PATH={folder} exec")
