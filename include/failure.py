"""Why a task failed: what it leaves for the run's report."""

from include.facts import Facts


class Failure(Facts):
    """Why a task failed.

    Args:
        task: its id.
        error: the name of the error's class.
        message: its sentence.
    """

    task: str
    error: str
    message: str
