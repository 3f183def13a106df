"""What each task does: a file per verb, a thin layer over ``include/``.

Days are in ``days/``, VMs and their boot tests in ``vms/``, restores in ``restore/``, the scrub and the
status page in ``vault/``, reports and mail in ``report/``. ``backup_operator.py`` is the base of all.
"""
