"""AUDIT: what is in the vault is read again, so that no proof grows old.

Want to change which backups are read in a run? ``due.py``. When the rate is too low for that?
``enough.py``. What counts as a backup, and how it stands with each? ``backups.py``. How a day or a
generation is read, and what is damage? ``day.py`` and ``generation.py``, which give what ``finding.py``
says, by ``hashing.py``. That it keeps out of the way? ``throttle.py`` and ``priority.py``. How one backup
is held, read and its result recorded? ``reading.py``. What is told of it? ``report.py``. What a site
decides? ``section.py``.
"""
