"""What runs on a KVM host: one file (a zip that Python runs), standard library only, Python 3.8 and later.

    __main__  the command line: survey, freeze, serve, drill, release, status, and those of restores
    job       the freeze as a process of its own; who asks again finds it
    check     what stands in the way
    freeze    the methods: cold, live, copy, offline
    steps     its steps, timed
    kept      what belongs to a machine beside its disks
    lease     the promise that a machine runs again
    watch     who keeps it: the watcher
    scratch   the room for what guests overwrite meanwhile
    release   everything put back; repairs what a dead run left
    proof     signs of life
    exports   where frozen disks can be read
    serve     sends them, chunk by chunk (wire, nbd, reading)
    restoring what is to be restored; target: where to, and what stands in the way
    receive   takes disks, chunk by chunk, into new ones beside the old (new_disk, nbd_write, restore_room)
    swap      puts them to their places, step by step; standing: how far that got; overlay: written over
    drill     a machine booted from its image (drill_definition, drill_devices, sights)
    drill_end its end, whoever died
    survey    what the host has (domain)
    journal   each step, on disk before it's taken
    folder    the agent's folder, and its locks
    virsh     the one door to libvirt
    detach    processes that outlive who asked for them
    errors    what can go wrong, with exit statuses

Its modules import each other relatively: together they are one program, wherever its file lies.
"""
