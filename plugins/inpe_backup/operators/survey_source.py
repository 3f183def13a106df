"""What the source holds."""

from typing import Any

from airflow.sdk import Context

from include.plan import Window
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.supim_source import supim_source


class SurveySourceOperator(BackupOperator):
    """Look at a run's days at the source, in one round trip over SSH.

    Args:
        window: a ``Window`` as JSON.
    """

    template_fields = ("window",)

    def __init__(self, *, window: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.window = window

    def work(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002 - as the base says
        """Give a ``Look`` as JSON for each day."""
        days = Window.model_validate(self.window).days
        with supim_source() as source:
            looks = [sighting.look for sighting in source.look(days).values()]
        for look in looks:
            self.log.info("%s is %s at the source. %s", look.day, look.state, look.reason)
        return [look.model_dump(mode="json") for look in looks]
