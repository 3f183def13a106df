"""The mail about a request that was refused, of a run that has no report."""

from include.text import visible


def summary_of(request: str, message: str) -> str:
    """Return a refusal as one printable line: ``PROTECT maq1 FAILED · The vault has no generation …``."""
    return visible(f"{request} FAILED · {message}")


def refusal_mail(request: str, message: str, *, prefix: str, run_url: str) -> tuple[str, list[str]]:
    """Return the subject and the paragraphs of the mail.

    Args:
        request: what was asked for: ``PROTECT maq1``.
        message: why it was refused, and what to do.
        prefix: what every subject begins with.
        run_url: the run's page in the web UI.
    """
    subject = f"[{visible(prefix)}] {visible(request)} FAILED · request refused"
    return subject, [visible(message), f"The run in Airflow: {run_url}"]
