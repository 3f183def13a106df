"""What happens at a log-in to the cluster: words that sshd puts before a command (sshd(8), ``command=``)."""

from pathlib import Path

from tests.include.machine import plain_user
from tests.site.sshd import SshServer


def force(server: SshServer, before: str) -> None:
    """Let every log-in run some shell words before the command that was asked for.

    Args:
        server: the server; its own tests must be the only ones.
        before: words that end before a command, such as ``PATH=/opt/bin exec``.
    """
    _, _, key = (server.folder / "authorized_keys").read_text().rpartition("ssh-ed25519")
    words = f'{before} sh -c \\"$SSH_ORIGINAL_COMMAND\\"'
    (server.folder / "authorized_keys").write_text(f'command="{words}" ssh-ed25519{key}')


def bind_by_modes(server: SshServer) -> None:
    """Let the account be bound by file modes, as everybody but root is."""
    force(server, " ".join(["exec", *plain_user()]))


def with_programs(server: SshServer, folder: Path) -> None:
    """Let the account find the programs of one folder, and no others."""
    (folder / "sh").symlink_to("/bin/sh")
    force(server, f"PATH={folder} exec")
