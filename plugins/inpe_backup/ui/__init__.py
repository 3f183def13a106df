"""The page "Backups" in Airflow's web UI, and the same facts as JSON. Served by the api-server alone.

    app.py       the FastAPI app: who may see it, and what the browser may do with it
    pages.py     the page, a run's report, pictures, style and script
    api.py       the JSON, version 1
    store.py     the facts, from the asset events in Airflow's database
    looks.py     one page's content; cells.py: its calendar; charts.py: its drawings
    templates/   how it is laid out; static/: how it looks and behaves

It changes nothing: to back up or restore, the browser asks Airflow's own REST API as the user logged in.

The JSON, below ``/backups/api/v1/``; version 1 gains keys, and never loses or redefines one:

    news                            {"event": 123}: grows whenever something was published
    vaults                          each vault: how it stands, and what needs a person
    vaults/<id>                     one of them
    vaults/<id>/years/2026          its days of a year: state, sentence, next step, days left at the source
    vaults/<id>/days/2026-268       one day: the same, its record, and the last look at the source
    vaults/<id>/machines            its machines: state and sentence, generations, drill, what leaves next
    vaults/<id>/machines/<name>     one of them
    vaults/<id>/room                used and free by day, and the forecast
    vaults/<id>/runs                what runs did, newest first

Log in as for Airflow's API: its cookie, or ``Authorization: Bearer <token>``. Times are ISO 8601 with an
offset; sizes are bytes, durations seconds, as keys say.
"""
