"""The agent as it's put on a host: one file, a zip that Python runs, named after what is in it."""

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path

from include import agent

_PACKAGE = "agent"
_ENTRY = f"import sys\n\nfrom {_PACKAGE}.__main__ import main\n\nsys.exit(main())\n"


@cache
def agent_file() -> tuple[str, bytes]:
    """Give the file's name, which carries its content's SHA-256, and its content.

    The same code gives the same file on every machine: a host that has it needn't be sent it again.
    """
    modules = sorted(Path(agent.__file__).parent.glob("*.py"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as program:
        program.writestr(zipfile.ZipInfo("__main__.py"), _ENTRY)
        for module in modules:
            program.writestr(zipfile.ZipInfo(f"{_PACKAGE}/{module.name}"), module.read_bytes())
    content = buffer.getvalue()
    return f"agent-{hashlib.sha256(content).hexdigest()[:16]}.pyz", content
