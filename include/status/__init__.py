"""The status of the backups, which DAGs publish and the page in Airflow's web UI shows.

A worker reads its vault and publishes the data as asset events, so the web server needs no vault.

    parts.py                    the data, as asset events carry it
    snapshot.py                 reads a vault into parts, with days.py, vms.py, screenshot.py and space.py
    view.py                     folds events into one view of each vault
    day_status.py, vm_status.py the state of each day and VM, and the next step
    first_backup.py             a new vault: what isn't backed up yet isn't missing
    forecast.py                 when the vault will be full
    alert.py                    one alert, and who acknowledged it
    vm_alerts.py, run_alerts.py alerts of VMs and of runs
    alerts.py                   what requires action, and the headline
"""
