"""What the agent's command line prints with ``--help``."""

ABOUT = """\
Back up, boot-test and restore the libvirt VMs of this host.

Each command prints one JSON object on one line. While a command takes long, it prints blank lines before.
Name a VM by its UUID: virsh domuuid NAME
"""
EPILOG = """\
exit status:
  0  done
  1  the host's disk or the agent itself failed; the message says how
  2  the command or its request is wrong; nothing was done
  3  another VM of this host, or another run, is busy; try again later
  4  not possible; nothing was touched, and the message says what prevents it
  5  the guest ignored the shutdown and was left running; should it still shut down, it is started again
  6  the backup couldn't be started, or a disk can't be read; the VM is as it was before
  7  THE VM ISN'T SEEN TO RUN: look at it now
  8  libvirt failed or gave no answer
  9  no backup of the VM is open, or it isn't open any more
  10  the VM isn't restored; the message says what each of its disks holds
  11  another VM of this host isn't seen to be back, so this VM was left alone
  12  the VM was off, and was started or its disks written to while they were read: don't use what was read
  13  THE VM'S FILE SYSTEMS AREN'T SEEN TO BE THAWED, so its writes may hang: look at it now

examples:
  agent survey                       which VMs are there, and can they be backed up?
  agent status                       is a backup or a restore open on this host?
  agent drop-reference UUID          remove the clones that wait for the VM's next backup
  agent end-backup UUID              clean up whatever a backup left, and have the VM as it was before
  agent end-backup --as-it-is UUID   clean up, but don't start the VM
"""
SURVEY = """\
List the VMs of this host: state, disks and why they can't be cloned, firmware, problems. Nothing is changed.
"""
BEGIN_BACKUP = """\
Begin a VM's backup: fix its disks' content at one instant, export it, and have the VM running again at once.
"method" is how:

  cold     shut down, clone the disks or begin the backup, start: down for as long as a restart takes, or copy
  live     freeze the file systems; clone the disks, suspended for a moment, or begin the backup while it runs
  copy     shut down, copy the disks, start: down for as long as the copy takes
  offline  used for any VM that is off; it can be started at any time, which ends its backup

It continues if the caller dies; a later call for the same run finds it again. The backup stays open until
end-backup, or until nobody has read it for two hours, or a day if its disks are cloned. Meanwhile, a watchdog
on this host starts the VM again if the backup fails.

Reads a JSON object from standard input, such as
  {"run": "by hand", "method": "cold", "managed_save": "refuse", "on_timeout": "leave",
   "restart_changes": "refuse", "shutdown_timeout_s": 300, "watchdog_s": 1800, "scratch": null,
   "health_check": {"guest_agent": false, "address": null, "ports": [], "same_ports": false,
   "timeout_s": 120}}

  managed_save        a VM that is off with saved memory: refuse, or back up its disks_only
  on_timeout          if the guest doesn't shut down in time: leave (let it run) or destroy (switch it off)
  restart_changes     if its restart would change the VM, as its definitions differ: refuse it, or allow it
  watchdog_s          the seconds after which the watchdog starts the VM, even if this command still works
  scratch             the folder for the blocks that the guest overwrites; null: the state folder
  health_check        what must answer before the VM counts as running again
"""
SEND = """\
Send the disks of an open backup over a binary protocol (for programs).
"""
BOOT_TEST = """\
Boot a VM from its image in the vault, in a temporary domain without network, and check that it comes up (for
programs). Reads a JSON object on one line, and ends when standard input is closed.
"""
END_BACKUP = """\
End a VM's backup: close the exported disks, remove scratch files, and put the VM in the state it was in
before: running if it was running, off if it was off.

This is the command to run when in doubt. It may be run at any time, and repeatedly. Without --run, it also
removes the VM's reference: the clones that its last backup left for the next one; and what earlier ones left
beside its disks, if their file system wasn't mounted then.
"""
KEEP_REFERENCE = """\
Keep the clones of an open backup that was published as the VM's reference, in place of the one before (for
programs). What hasn't changed since then isn't read by the next backup.
"""
DROP_REFERENCE = """\
Remove a VM's reference: the clones that its last backup left for the next one, which then reads all of it.
"""
STATUS = """\
List the open backups and restores of this host: since when, their last step, whether a process works on them
("busy"), sends their disks ("sending"), and whether the VM's restart watchdog is running ("watchdog").
"""
CHECK_RESTORE = "Check that a restore is possible, and report what it will do (for programs).\n"
RECEIVE = """\
Receive disks that are to be restored, over a binary protocol (for programs). The VM isn't touched.
"""
SWAP = """\
Put the received disks in the places of the VM's old ones (for programs).
"""
