"""RESULTS: what a task leaves for its run's report.

Item states, run kinds, outcomes: ``states.py``. What became of a day, VM or backup: ``item.py``. Why a task
failed: ``failure.py``. The interface through which a report reads all tasks of its run: ``tasks.py``. Their
names for people: ``task_labels.py``.
"""
