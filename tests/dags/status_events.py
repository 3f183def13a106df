"""The asset events that runs left in Airflow."""

from include.status.parts import PublishedPart
from tests.dags import Run
from tests.site.airflow_api import JsonObject


def published_parts(run: Run) -> dict[str, PublishedPart]:
    """Return the status parts that a run published last, validated, by their keys."""
    events = run.airflow.asset_events("backup_status/", run_id=run.run_id, dag_id=run.dag)
    found = {str(event["name"]): PublishedPart.model_validate(event["extra"]) for event in events}
    assert all(name.startswith("backup_status/main/") for name in found)
    return {name.split("/", 2)[2]: part for name, part in found.items()}


def day_events(run: Run) -> list[JsonObject]:
    """Return the events of the days that a run backed up."""
    return run.airflow.asset_events("supim_days", run_id=run.run_id, dag_id=run.dag)


def image_events(run: Run) -> dict[str, JsonObject]:
    """Return the events of the images that a run made, by asset name."""
    events = run.airflow.asset_events("vm_images/", run_id=run.run_id, dag_id=run.dag)
    return {str(event["name"]): event for event in events}
