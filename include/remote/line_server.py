"""The end of ``program.py`` that runs on the host: answers JSON requests, one per line.

Standard library only, Python 3.8 and later, like everything that runs on a host.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any, Callable, Dict

from include.agent.heartbeat import heartbeat
from include.agent.watched_input import WatchedInput

Answer = Callable[[Dict[str, Any]], Dict[str, Any]]


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
            except (OSError, KeyError, TypeError, ValueError) as error:
                reply = {"error": type(error).__name__, "message": str(error)}
            with output:
                sys.stdout.write(json.dumps(reply) + "\n")
                sys.stdout.flush()
    return 0
