"""Headers by which mail programs group the mails of one day or week (RFC 5322, 3.6.4).

The first mail of a thread isn't known without keeping state. So each mail is a reply to an address that all
of its day or week have in common and that no mail has: programs that follow ``References`` group them, also
where the first mail was deleted. Gmail also wants equal subjects, so there only repeated results are grouped.
"""

import re
from email.utils import make_msgid, parseaddr

from include.report.model import Report
from include.results.states import Kind


def thread_of(report: Report) -> str:
    """Return the thread of a report's mail: ``days-2026-268``, or ``vms-2026-W39``."""
    if report.kind is Kind.DAYS and report.day:
        return f"{report.kind}-{report.day}"
    if report.kind is Kind.BACKFILL:
        return report.title
    year, week, _ = report.own_date.isocalendar()
    return f"{report.kind}-{year}-W{week:02}"


def headers(thread: str, sender: str) -> dict[str, str]:
    """Return the headers of a new mail of a thread.

    Args:
        thread: what all mails of a day or week have in common.
        sender: the sender's address; its domain is the institute's.
    """
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    first = f"<{re.sub(r'[^A-Za-z0-9-]+', '-', thread)}.inpe-backup@{domain}>"
    return {
        "Message-ID": make_msgid("inpe-backup", domain),
        "In-Reply-To": first,
        "References": first,
        "Auto-Submitted": "auto-generated",  # RFC 3834: no vacation replies
    }
