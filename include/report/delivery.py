"""Who gets the mail of a run's report, or why nobody does."""

from collections.abc import Sequence
from dataclasses import dataclass

from include.config.mail import MailSection, When
from include.report.model import Report
from include.report.subject import is_good
from include.results.states import Kind, Outcome


@dataclass(frozen=True)
class Delivery:
    """Who gets a mail.

    Args:
        to: the recipients; none: no mail is sent.
        cc: who gets a copy.
        reason: why no mail is sent, in a sentence; empty if one is.
    """

    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    reason: str = ""


def delivery(report: Report, mail: MailSection, user: str | None) -> Delivery:
    """Return who gets a report.

    A dry run or a refused request is the business of whoever triggered it. Of other runs, a problem is always
    mailed, and the rest as ``mail.when`` says. Nobody asked for what a scheduled run refuses: a problem.

    Args:
        report: the run's report.
        mail: the site file's section.
        user: the Airflow user who triggered the run, if any.
    """
    if report.dry_run or (report.refused and user):
        return to_user("dry run" if report.dry_run else "refused request", mail, user)
    when = _when(report.kind, mail)
    if is_problem(report) or when is When.ALWAYS or (when is When.CHANGES and is_change(report)):
        return Delivery(mail.to, mail.cc)
    nothing = "nothing changed" if when is When.CHANGES else "there was no problem"
    return Delivery(reason=f"No mail was sent: {nothing}, and mail.when.{report.kind} is {when}.")


def is_problem(report: Report) -> bool:
    """Return whether a report has anything that somebody should know at once: never left to ``mail.when``."""
    warned = any(item.warnings for item in report.items)
    return not is_good(report) or bool(report.needs_action) or warned


def is_change(report: Report) -> bool:
    """Return whether a run copied, imaged, restored or removed anything."""
    changed = (item.outcome.wrote or item.outcome is Outcome.RESTORED for item in report.items)
    return any(changed) or bool(report.removed)


def to_user(what: str, mail: MailSection, user: str | None) -> Delivery:
    """Return the delivery to whoever triggered a run, and to nobody else.

    Args:
        what: what is the business of nobody else: ``dry run``, ``refused request``.
        mail: the site file's section.
        user: the Airflow user who triggered the run, if any.
    """
    if user in mail.users:
        return Delivery([mail.users[user]])
    who = f"mail.users has no address of {user}" if user else "Airflow doesn't know who did"
    reason = f"No mail was sent: a {what} is mailed only to whoever triggered it, and {who}."
    return Delivery(reason=reason)


def _when(kind: Kind, mail: MailSection) -> When:
    if kind is Kind.BACKFILL:  # one mail for all its runs
        return When.ALWAYS
    chosen: When = getattr(mail.when, kind.value)
    return chosen
