"""The agent: the program that runs on a KVM host. It begins, sends and ends backups, boot-tests and restores.

It is shipped as one file (a zip that Python runs), needs only Python 3.8 and its standard library, and
controls libvirt through virsh. Where to find what:

    __main__      the command line; help_texts: what --help prints
    survey        what the host has: VMs, disks, problems (domain: parses a domain's XML;
                  left_out: what a domain names and no image has;
                  restart_changes: compares the running definition with the persistent one;
                  started_memory: what libvirt makes of a definition's memory)
    backup/       a VM's backup: begin, send, end; its health check and restart watchdog
    boot_test/    boots a VM from its image in the vault, in a temporary domain
    restore/      checks a restore, receives its disks, and swaps them into place
    disks/        exports, reads and writes disks over NBD; makes new ones
    allow_list, allowed_elements   what may stay of a definition that another host wrote
    copy_mark     the mark of a VM that a restore made beside its original
    firmware      the definition, NVRAM and TPM state of a VM
    wire          the binary protocol with the vault's worker
    durable_files writes files and folders that survive a power cut
    state_folder  the agent's files on the host, and its locks
    journal       the write-ahead journal of backups and restores
    virsh         libvirt
    qemu_account  the account that QEMU runs as: what belongs to it, and to nobody else
    detach        starts processes that outlive the caller
    heartbeat     signs of life
    watched_input what the caller sends, and whether it is gone
    errors        errors and exit statuses
"""
