"""Private keys: one form and one check for both SSH clients, paramiko and OpenSSH.

paramiko takes a key with Windows line ends or without a final line end, and any file mode; OpenSSH doesn't.
"""

import subprocess

_PUTTY = "PuTTY-User-Key-File"
_PEM = "-----BEGIN "


def normalized(text: str) -> str:
    """Return a key as both clients take it: Unix line ends, and one at its end."""
    return "\n".join(text.strip().splitlines()) + "\n"


def problem(text: str) -> str:
    """Return why a key can't be used, and what to do, as sentences; empty if it can be used."""
    key = normalized(text)
    if key.startswith(_PUTTY):
        return "The key is in PuTTY's form. Convert it: puttygen KEY -O private-openssh -o NEW_KEY"
    if not key.startswith(_PEM):
        return f"The key doesn't begin with {_PEM}... : it is a public key, or something stands before it."
    # By standard input: it can't open a file in this process's memory, which Airflow's tasks hide.
    checked = subprocess.run(
        ["ssh-keygen", "-y", "-P", "", "-f", "/dev/stdin"],
        input=key,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if checked.returncode:
        reason = checked.stderr.strip().rpartition(": ")[2]
        return (
            f"OpenSSH can't use the key ({reason}). If it has a passphrase, remove it: "
            "ssh-keygen -p -N '' -f KEY. Nobody is there to type it."
        )
    return ""
