"""Another team's DAG: it runs for each day that was backed up."""

from airflow.sdk import DAG, Asset, Context, PartitionedAssetTimetable, task

DAYS = Asset("supim_days")

with DAG(dag_id="on_supim_days", schedule=PartitionedAssetTimetable(assets=DAYS)):

    @task
    def read_events(**context: Context) -> list[object]:
        """Return the extras of the events that triggered the run."""
        events: list[object] = [event.extra for event in context["triggering_asset_events"][DAYS]]  # type: ignore[literal-required]
        return events

    read_events()
