"""The README and docs/, their blocks and commands, and a shell to type these into."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.site.airflow_home import PROJECT

PAGES = (PROJECT / "README.md", *(PROJECT / "docs").glob("*.md"))
DOCUMENTS = {path: path.read_text("utf-8") for path in PAGES}
README = DOCUMENTS[PROJECT / "README.md"]
OPERATIONS = DOCUMENTS[PROJECT / "docs" / "operations.md"]
VAULT = "/backup/vault"
LOST = {".img": "vda", "-data.qcow2": "vdb"}


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of one language in all documents."""
    every = "\n".join(DOCUMENTS.values())
    return re.findall(rf"^```{language}\n(.*?)^```$", every, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """Return every command line of the documents, without its comment."""
    lines = (line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines())
    return [line for line in lines if line]


def shown_of(command: str) -> list[str]:
    """Return the lines that the README shows of a command's output."""
    [block] = re.findall(rf"<!-- output of: {command} -->\n```\n(.*?)```", README, re.DOTALL)
    return [line for line in block.splitlines() if line not in ("", "...")]


def without_figures(text: str) -> str:
    """Return a text with # for each figure: times, ports, days and sizes differ from run to run."""
    return re.sub(r"\d+(\.\d+)?", "#", re.sub(r"\[ *", "[", text))


def run(command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command line as a reader would type it in the project's folder."""
    return subprocess.run(
        ["bash", "-ec", command],
        cwd=PROJECT,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
