"""Scrub: check and read the vault's backups on a schedule, so that every byte is verified regularly.

    backups.py     Backup, BackupStatus: the backups of a vault, their last verification and their damage
    quick_check.py QuickCheck: names, kinds and sizes of all files of all backups, each time
    selection.py   the backups that a person named
    plan.py        decide which backups a run reads, and group them into batches
    rate.py        warn when ``scrub.max_read_mb_s`` is too low for ``scrub.max_age_days``
    scrubber.py    Scrubber: lock a backup, read it, append the result to its verification log
    day.py         check or read a day: its files, folders and links
    vm.py          check or read a VM's generation: its images by chunk, its other files by SHA-256
    folder_walk.py walk a folder in the order of its published lists
    hashing.py     hash files from the disk on all cores
    faults.py      count the faults of files, and describe them
    finding.py     ReadBackup: what reading a backup found
    results.py     turn the results of a run into report items
    throttle.py    limit the bytes read per second
    priority.py    run the reading at idle priority

The settings are in ``include/config/scrub.py``.
"""
