"""How the backups stand: the facts that DAGs publish, and that the page in Airflow's web UI is made of.

A worker reads them from its vault and publishes them as asset events, so the web server needs no vault.
What they are? ``facts.py``. How a vault is read for them? ``reading.py``, which asks ``days.py``,
``machine.py`` and ``screen.py``. How a run is summed up? ``runs.py``. How events become one view of each
vault? ``view.py``. In which of its states a day stands, and what the next step is? ``coverage.py``.
"""
