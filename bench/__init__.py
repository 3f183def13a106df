"""HOW FAST: our ways beside what people would use instead, in one run; ``make bench``.

    day_copy.py          a day copied, proven and published; against rsync, and scp with sha256sum
    dag_cost.py          what importing the DAG costs, and a run with nothing to do
    vault_listing.py     ten years of days, listed
    audit.py             a vault read again; against nothing but reading and hashing
    machine_downtime.py  how long a machine is down to be imaged; against a bare restart, and the old scripts
    machine_image.py     a disk imaged whole; against the wire itself, scp, rsync, nbdcopy and borg
    machine_delta.py     the same a week later; against rsync, borg and restic
    machine_guest.py     what the guest itself notices of it
    machine_restore.py   a damaged machine restored in place; against scp of its image
    page.py              the page in the web UI, with ten years of days and 500 machines

`make bench B="day_copy machine_image"` measures these parts alone; others keep their rows in results.json
and results.md.
Medians, and ratios: seconds are this machine's. A row that doesn't hold stays in the table.
"""
