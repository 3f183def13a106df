"""HOW AIRFLOW SEES IT: everything here imports airflow, and what it means lives in ``include/``.

Want to change when a day's run is due, or which days a backfill takes? ``timetable.py``.
Which day a task works for? ``run_day.py``. What a task does? ``operators/``, a file per verb.
What other DAGs can be scheduled on, and under which names? ``assets.py``. What the forms of *Trigger* ask?
``forms.py``. How days are secured, task by task? ``secured_days.py``. What follows each report?
``dag_frame.py``. What is noted on a run? ``run_note.py``. What the page shows? ``ui/``.

Import it as ``inpe_backup``, never through ``plugins``: a second copy of a class is another class.
"""
