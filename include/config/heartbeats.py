"""The site file's section ``heartbeats``: the monitor that notices a run that never starts."""

from typing import Annotated, Literal

from pydantic import Field

from include.config.section import Section

Check = Annotated[str, Field(min_length=1)] | None


class HeartbeatsSection(Section):
    """A monitor outside Airflow that notices a run that never starts or never ends.

    The runs of a DAG are reported to it if the DAG has the Airflow connection of its check here.
    """

    kind: Literal["healthchecks", "uptime_kuma"] = Field(
        default="healthchecks",
        description="The monitor: healthchecks (healthchecks.io, or one of your own), or uptime_kuma.",
    )
    supim_daily: Check = Field(default=None, description="The connection of its check; null: none.")
    vm_weekly: Check = Field(default=None, description="The same.")
    vault_scrub: Check = Field(default=None, description="The same.")
    vm_boot_test: Check = Field(default=None, description="The same.")

    def conn_id(self, dag_id: str) -> str | None:
        """Return the connection of a DAG's check; None if its runs aren't reported."""
        conn_id: str | None = self.model_dump(exclude={"kind"}).get(dag_id)
        return conn_id
