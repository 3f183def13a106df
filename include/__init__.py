"""WHAT IT MEANS: the backup itself, in plain Python and without Airflow.

Want to change what a day is, or how its folder is named? ``ordinal_day.py``. What a site decides?
``site_file.py`` and ``site.yaml``. Which days a run sees to, and what it does about each? ``plan.py``.
How the source is asked? ``source.py``, answered by ``source_agent.py`` there. When a day is complete?
``supim.py``, by ``grads.py``. How it is copied, proven and published? ``day_backup.py``, with
``transfer.py``, ``listing.py`` and ``publication.py``. Where it lies? ``vault.py``. What people are
told? ``daily_report.py``, ``weekly_report.py`` (each machine's part: ``machine_item.py``; the table of
weeks: ``kept_weeks.py``) and ``report/``. What is read again, and when? ``audit/``. How days and machines
are brought back? ``restore/``. What can be done from a terminal? ``cli/``. Virtual machines?
``machines/``, and ``agent/`` at their host. What can go wrong? ``errors.py``.
"""
