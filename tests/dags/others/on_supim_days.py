"""Somebody else's DAG: it runs for each day that was secured."""

from airflow.sdk import DAG, Asset, Context, PartitionedAssetTimetable, task

DAYS = Asset("supim_days")

with DAG(dag_id="on_supim_days", schedule=PartitionedAssetTimetable(assets=DAYS)):

    @task
    def heard(**context: Context) -> list[object]:
        """Give what the events say that the run is for."""
        events: list[object] = [event.extra for event in context["triggering_asset_events"][DAYS]]  # type: ignore[literal-required]
        return events

    heard()
