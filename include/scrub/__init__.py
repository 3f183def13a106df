"""Scrub: read the vault's backups again on a schedule, so that every byte is verified regularly.

    backups.py     Backup, BackupStatus: the backups of a vault, their last verification and their damage
    plan.py        decide which backups a run reads, and group them into batches
    rate.py        warn when ``scrub.max_read_mb_s`` is too low for ``scrub.max_age_days``
    scrubber.py    Scrubber: lock a backup, read it, append the result to its verification log
    day.py         read a day: its files, folders and links
    vm.py          read a VM's generation: its images by chunk, its other files by SHA-256
    hashing.py     hash files from the disk on all cores, and describe the faults
    finding.py     ReadBackup: what reading a backup found
    results.py     turn the results of a run into report items
    throttle.py    limit the bytes read per second
    priority.py    run the reading at idle priority

The settings are in ``include/config/scrub.py``.
"""
