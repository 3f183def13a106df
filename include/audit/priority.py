"""Reading at the lowest priority, for as long as it takes, and without a trace afterwards.

Priorities belong to threads on Linux, and threads hand them on to those that they start (sched(7),
ioprio_set(2)); who isn't root can lower one, but not raise it again. So the work gets a thread of its own.
"""

import os
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

LOWEST = 19
_A_LOOK_S = 0.5

Given = TypeVar("Given")


def in_background(work: Callable[[], Given], stop: Callable[[], None]) -> Given:
    """Do some work at the lowest priority for disk and processor, and give what it gives.

    Args:
        work: what is done; the threads that it starts are as low.
        stop: makes it end soon; called when this thread is told to end meanwhile.
    """
    with ThreadPoolExecutor(1, initializer=_lower) as thread:
        doing = thread.submit(work)
        try:
            while not doing.done():
                wait([doing], _A_LOOK_S)  # a signal that another thread got is only seen in between
            return doing.result()
        except BaseException:
            stop()
            raise


def _lower() -> None:
    os.setpriority(os.PRIO_PROCESS, 0, LOWEST)
    thread = str(threading.get_native_id())
    subprocess.run(["ionice", "--class", "idle", "--pid", thread], check=True)
