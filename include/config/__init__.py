"""The site file, checked when it is read. Every key has a description, and most have a safe default.

site_file  the whole file, and the sections ``institute``, ``mail`` and ``vaults``; read it with ``current()``
datasets   the section ``datasets``
vms        the section ``vms``
boot_test  the section ``boot_test``
scrub      the section ``scrub``
heartbeats the section ``heartbeats``
section    the base of all sections, and the types of paths and cron lines
reference  writes docs/configuration.md
"""
