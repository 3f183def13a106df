"""SUPIM days, from the cluster into the vault.

source          surveys the source's days and has them hashed
source_program  runs at the source and answers
folder_scan     lists and hashes a folder; part of ``source_program``
manifest        the entries of a folder, packed, and compared with another's
manifest_entry, manifest_totals, manifest_builder, manifest_file
                an entry; what all are together; entries as they come; a manifest in staging
supim           checks that a day is complete, by its GrADS descriptors
grads           parses a GrADS descriptor
plan            the days of a run, and what is done about each
first_day       where a calendar of days begins
backup          copy, verify, publish
publication     makes a verified copy a published day
archive         the days of a vault and their paths
staged          the work in progress of a day
published       one published revision of a day
record          its record
"""
