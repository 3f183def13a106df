"""Why a task failed, as it leaves it for the run's report."""

from include.models import Model


class Failure(Model):
    """Why a task failed.

    Args:
        task: the task's id.
        error: the name of the error's class.
        message: the error's message.
        tries: how often the task was tried.
        about: what was asked for and isn't there, if the error is about that.
    """

    task: str
    error: str
    message: str
    tries: int = 1
    about: str = ""
