"""The page "Backups" in Airflow's web UI, and the same data as JSON. Only the api-server serves it.

    app.py          the FastAPI app: who may see the page, and what the browser may do with it
    pages.py        the page, a run's report, screenshots, style and script
    api.py          the JSON, version 1
    acknowledge.py  folds an alert away, for whoever may start runs
    origin.py       refuses what another site may have made a browser send
    store.py        reads the published parts from the asset events in Airflow's database
    view_model.py   the page's content; cells.py: its calendar; charts.py: its charts
    templates/      the layout; static/: style and script

To back up or restore, the browser calls Airflow's REST API as the logged-in user. By itself the page only
changes which alerts are acknowledged, as asset events of its own.

The JSON is below ``/backups/api/v1/``; version 1 gains keys, and never loses or redefines one:

    news                        {"event": 123}: grows whenever a DAG publishes
    vaults                      each vault: its status, and what needs attention
    vaults/<id>                 one vault
    vaults/<id>/years/2026      its days of a year: state, reason, next step, days left at the source
    vaults/<id>/days/2026-268   one day: the same, its record, and its last survey
    vaults/<id>/vms             its VMs: state and reason, generations, boot test, next removal
    vaults/<id>/vms/<name>      one VM
    vaults/<id>/space           used and free space by date, and the forecast
    vaults/<id>/runs            runs, newest first
    vaults/<id>/acknowledged    POST {"key": "…", "period": "day" | "week" | "change" | "withdrawn"}

Log in as for Airflow's API: with its cookie, or ``Authorization: Bearer <token>``. Times are ISO 8601 with an
offset; sizes are in bytes, durations in seconds, as the keys say.
"""
