"""VMS: the backup of libvirt VMs and their generations in the vault, in plain Python and without Airflow.

plan             which VMs of a host are backed up, and how, by the site file's section in ``config/vms.py``
lanes            which are backed up side by side, and which after which
backup           begin, transfer, verify, publish, end
host             the commands to a KVM host; what runs there is ``include/agent/``
left_out         what a VM has and its image hasn't
models           the host's answers; ``restore_models`` those about restores
reference_timer  whether the timer on the host that removes references still runs
transfer         the disks of an open backup, into staging
image_stream     the connection over which the host sends them, disk by disk: ``incoming_disk``, ``progress``
received_notes   what was received of a disk, chunk by chunk, so that a broken transfer resumes
carried          which chunks haven't changed on the host, and aren't read; ``distrust``: if one has
chunks           the digests of an image's chunks, by which only what changed is sent
image            reads an image back from the disk and compares
read_back        has what differs transferred again, while the host has it
filesystems      what can be found out about the file systems in an image
draft            what will be recorded of verified images
publication      makes verified images a generation
archive          the generations of a vault and their paths; named by ``generation_name``
published        one generation in the vault
record           what is recorded of it; ``description``: in sentences
protection       keeps it from removal for as long as a person wants
retention        decides which generations are kept; ``removal`` removes the rest
"""
