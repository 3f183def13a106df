"""Why a task failed, as it leaves it for the run's report."""

from include.models import Model


class Failure(Model):
    """Why a task failed.

    Args:
        task: the task's id.
        error: the name of the error's class.
        message: the error's message.
    """

    task: str
    error: str
    message: str
