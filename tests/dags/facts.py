"""What runs told Airflow: the events that they left, and the facts in them."""

from include.standing.facts import Published
from tests.dags import Run
from tests.site.airflow_api import JsonObject


def told(run: Run) -> dict[str, Published]:
    """Give the facts that a run published last, by their keys; each is held against its model."""
    events = run.airflow.asset_events("backup_facts/", run_id=run.run_id, dag_id=run.dag)
    found = {str(event["name"]): Published.model_validate(event["extra"]) for event in events}
    assert all(name.startswith(f"backup_facts/{fact.vault}/") for name, fact in found.items())
    return {name.split("/", 2)[2]: fact for name, fact in found.items()}


def days_of(run: Run) -> list[JsonObject]:
    """Give the events of days that a run secured."""
    return run.airflow.asset_events("supim_days", run_id=run.run_id, dag_id=run.dag)


def images_of(run: Run) -> dict[str, JsonObject]:
    """Give the events of images that a run made, by their assets' names."""
    events = run.airflow.asset_events("machine_images/", run_id=run.run_id, dag_id=run.dag)
    return {str(event["name"]): event for event in events}
