"""A VM's backup on its host.

job               runs the beginning of a backup as a process of its own, which a later call finds again
preflight         checks, before anything is touched, that the backup is possible
begin             begins the backup, and brings the VM back whatever fails
snapshot          makes the snapshot of its disks: cold, live, copy or offline
cloned_disks      the snapshot that the host's file system makes: clones of all disks
references        the clones that stay for the next backup, and what hasn't changed since
reference_timer   removes them before they fill the host's disks
timer_runs        when that ran last
offline           the disks of a VM that is off: a start ends their export
shutdown          shuts a guest down
steps             its steps, timed
health_check      checks that the VM runs again
freeze            freezes and thaws the guest's file systems
pause             suspends and resumes the VM, while its disks are cloned
scratch           the space that guests need while a backup is open
watchdog          the restart watchdog: its file, and how it makes a VM run
watchdog_process  its process
send              sends the disks, chunk by chunk
end               ends the backup, and cleans up after a run that died
"""
