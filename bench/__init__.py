"""BENCH: how fast the project is beside the tools that people would use instead, in one run; ``make bench``.

    day_copy.py          a day copied, verified and published; against rsync, and scp with sha256sum
    day_files.py         a day of 100,000 small files (BENCH_FILES: or more); against rsync with sha256sum
    dag_cost.py          the import of the DAG, and a run with nothing to do
    vault_listing.py     ten years of days, listed
    scrub.py             a vault read again; against bare reading and hashing
    vm_downtime.py       how long a VM is down for its backup; against a bare restart, and the old scripts
    vm_image.py          a full image of a disk; against bare SSH, scp, rsync, nbdcopy and borg
    vm_delta.py          the same a week later; against rsync, borg and restic
    vm_guest.py          how fast the guest writes meanwhile
    vm_restore.py        a damaged VM restored in place; against scp of its image
    memory.py            the memory of both ends for a disk of 16 TiB; against a limit
    page.py              the page in the web UI, with ten years of days and 500 VMs

`make bench B="day_copy vm_image"` measures these parts alone; the others keep their rows in results.json and
results.md. All values are medians; seconds depend on this machine. A row that misses its limit stays in the
table.
"""
