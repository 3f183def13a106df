"""``ScrubBackupsOperator`` without an Airflow: of which damage it mails an alarm."""

from collections.abc import Sequence
from typing import Any

import pytest

from include.report.alarm import Alarm
from include.scrub.scrubber import ScrubResult
from inpe_backup.operators.vault import scrub_backups

KNOWN = "2026-268"


@pytest.mark.parametrize(("name", "mailed"), [(KNOWN, []), ("2026-268.r2", ["damage 2026-268.r2"])])
def test_damage_that_was_mailed_and_is_replaced_is_no_news(
    monkeypatch: pytest.MonkeyPatch, name: str, mailed: list[str]
) -> None:
    """Else each scrub that somebody asks for would alarm, and call it resolved a moment later."""
    sent = list[str]()

    def send(_context: Any, _log: Any, alarms: Sequence[Alarm]) -> None:  # noqa: ANN401 - Airflow's
        sent.extend(alarm.key for alarm in alarms)

    monkeypatch.setattr(scrub_backups, "mail_alarms", send)
    operator, context = scrub_backups.ScrubBackupsOperator(task_id="scrub", batch={}), Any
    result, damage = ScrubResult(name=name, day=None, result="failed", how="It decayed."), list[Alarm]()
    operator._mailed(context, result, damage, {KNOWN: "2026-268.r2"})  # type: ignore[arg-type]  # noqa: SLF001
    assert (sent, [alarm.key for alarm in damage]) == (mailed, mailed)
