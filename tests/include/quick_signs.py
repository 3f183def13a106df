"""Signs of life twenty times as often as at a site, of both ends; and who is silent is given up as soon."""

import io
import shlex
import zipfile
from pathlib import Path

from include.remote.zipapps import Zipapp

EVERY_S, SILENCE_S = 0.2, 2
_AGENT = f"""\
import sys
sys.path.insert(0, sys.argv[1])
from include.agent import heartbeat
heartbeat.EVERY_S, heartbeat.SILENCE_S = {EVERY_S}, {SILENCE_S}
from include.agent.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


def quick_agent(command: str) -> str:
    """Return a command of the agent that does so."""
    python, *words = shlex.split(command)
    return shlex.join([python, "-c", _AGENT, *words])


def quick_program(program: Zipapp) -> Zipapp:
    """Return a program that does so."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(program.content)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if Path(name).name == "heartbeat.py":
                text += f"\nEVERY_S, SILENCE_S = {EVERY_S}, {SILENCE_S}\n".encode()
            new.writestr(name, text)
    return Zipapp(program.name, changed.getvalue())
