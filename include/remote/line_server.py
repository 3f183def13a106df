"""The end of ``program.py`` that runs on the host: answers JSON requests, one per line.

An answer is a line of JSON, an object. What may be long comes before it, in lines with ``entries``.

Standard library only, Python 3.8 and later, like everything that runs on a host.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any, Callable, Dict, Iterable, Union

from include.agent.heartbeat import heartbeat
from include.agent.watched_input import WatchedInput

Line = Dict[str, Any]
Answer = Callable[[Line], Union[Line, Iterable[Line]]]
"""Returns the lines of an answer to a request, or the only one."""


def serve(answer: Answer) -> int:
    """Answer one request per line until the input ends; answer an error with its class and message.

    The process ends, in the middle of its work, when the worker is gone.
    """
    output, requests = threading.Lock(), WatchedInput(sys.stdin.fileno())
    with heartbeat(output, exit_when_unread=True):
        while line := requests.readline():
            if not line.strip():
                continue  # a sign of life
            try:
                reply = answer(json.loads(line))
                for part in [reply] if isinstance(reply, dict) else reply:
                    _send(part, output)
            except (OSError, KeyError, TypeError, ValueError) as error:
                _send({"error": type(error).__name__, "message": str(error)}, output)
    return 0


def _send(line: Line, output: threading.Lock) -> None:
    text = json.dumps(line) + "\n"
    with output:
        sys.stdout.write(text)
        sys.stdout.flush()
