"""Restore days and VMs from the vault: verified in the vault before, and at the target after.

    container_layer.py     folders that vanish with the container of the worker

Days:

    day_request.py         DayRestoreRequest: the parameters of a restore
    selection.py           choose the revision, select its files, verify them in the vault
    plan.py                decide what to do with each path at the target
    target.py              RestoreTarget: the folder to restore to, here or on another host
    target_program.py      the program that runs there
    day.py                 DayRestore: the whole restore of one day

VMs:

    vm_request.py          VmRestoreRequest: the parameters of a restore
    generation_choice.py   choose the generation, and lock it
    vm_verification.py     verify all but the images, which are verified as they are sent
    vm_definition.py       give the libvirt definition another identity; the host decides what stays of it
    vm_agent_request.py    build the order for the host's agent
    vm_sender.py           send the chunks that differ; ``include/agent/restore/receive.py`` receives them
    vm.py                  VmRestore: the whole restore to a host; ``include/agent/restore/swap.py`` swaps
    vm_report.py           the report item
    vm_folder.py           FolderRestore: write a VM's files to a folder, without a host
"""
