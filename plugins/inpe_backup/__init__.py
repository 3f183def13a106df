"""Everything that imports airflow; what it means is in ``include/``.

    timetable.py        when a day's run is due, and which days a backfill takes
    cron_timetable.py   the schedules of the other DAGs, whose text carries their zone
    run_day.py          which day a run is for; run_partition.py: the key of one that was started without
    operators/          what each task does, a file per verb
    vm_turn.py          how a VM waits for its turn without a worker
    start_deadline.py   until when a scheduled run may stop VMs
    alarm.py            mails about what can't wait for the report, at once, and about its end
    assets.py           what other DAGs can be scheduled on
    params.py           the forms of *Trigger*; form_checks.py: what their fields refuse
    connections.py      hosts behind Airflow's SSH connections; ssh_transport.py: how commands reach them
                        (ssh_session.py: programs that answer line by line)
    vault_queue.py      what runs beside the vault and what anywhere, and the look for the vault's worker
    dag_defaults.py     what the DAGs share, and the tasks after a report
    run_note.py         the note on each run; row_labels.py: the names of a mapped task's rows
    report_again.py     clears the report, and the ends of backups, that tasks cleared before them outdate
    marked_failed.py    has a run that a person marks as failed end as failed
    only_logged.py      errors of what only informs somebody, which fail no task; savepoint.py: errors of
                        listeners; task_lock.py: tasks that publish end one at a time
    ui/                 the status page

Import it as ``inpe_backup``, never through ``plugins``: a second copy of a class is another class.
"""
