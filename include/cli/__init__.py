"""The command line ``bin/inpe-backup COMMAND``, which runs without Airflow.

Each command has a module that is named after it:

    init_command.py           init          make a folder a vault
    list_command.py           list          list the backups, their last verification and their damage
    verify_command.py         verify        read backups again and compare their checksums
    restore_day_command.py    restore-day   restore a day into a folder of this machine
    restore_vm_command.py     restore-vm    write a VM's images, definition and firmware into a folder
    protect_command.py        protect       keep a generation of a VM from removal
    unprotect_command.py      unprotect     let retention remove it again

and two functions:

    def add(commands: Commands) -> None     Add the parser; end with ``parser.set_defaults(run=run)``.
    def run(options: Namespace) -> int      Run the command, and return the exit status.

``__main__.py`` lists these modules and turns a BackupError into a message and the status
``terminal.FAILED``. ``terminal.py`` has what all of them share: opening the vault, printing, exit statuses.
"""
