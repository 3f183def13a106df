"""Run work at the lowest CPU and disk priority, without changing the priority of the caller.

On Linux each thread has its own priority and passes it to the threads it starts (sched(7), ioprio_set(2)).
Only root may raise a priority again after lowering it. So the work runs in a thread of its own.
"""

import os
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

LOWEST = 19
_POLL_S = 0.5

Result = TypeVar("Result")


def in_background(work: Callable[[], Result], stop: Callable[[], None]) -> Result:
    """Run ``work`` at the lowest priority, and return its result.

    Args:
        work: the function to run; threads that it starts have the same priority.
        stop: makes ``work`` end soon; called if the caller is interrupted while it waits.
    """
    with ThreadPoolExecutor(1, initializer=_lower) as thread:
        result = thread.submit(work)
        try:
            while not result.done():
                wait([result], _POLL_S)  # Python handles signals only between waits
            return result.result()
        except BaseException:
            stop()
            raise


def _lower() -> None:
    os.setpriority(os.PRIO_PROCESS, 0, LOWEST)
    thread = str(threading.get_native_id())
    subprocess.run(["ionice", "--class", "idle", "--pid", thread], check=True)
