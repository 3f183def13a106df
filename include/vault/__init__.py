"""The vault: a marked folder with locks. It knows neither days nor VMs.

vault             the marker, and the locks of the whole vault, of staging and of published backups
clock             times in the future, which can't be true
locks             kernel locks on files and folders
free_space        free bytes and files, and the errors of a full or read-only disk
files             read-only modes, flushing to disk, reading (agent/durable_files.py writes single files)
sha256sums        lists of checksums that ``sha256sum --check`` reads, and of sizes
verification_log  the results of scrubs and boot tests beside each backup
"""
