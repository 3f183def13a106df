"""MACHINES: their images in the vault, in plain Python and without Airflow.

Want to change which machines are imaged, and how? ``plan.py``, by the site file's ``section.py``. What is
asked of a KVM host? ``host.py``; it sends the agent of ``shipped.py`` there. How do frozen disks come?
``pull.py``, disk by disk (``arriving_disk.py``), over the wire of ``served.py``. How many generations are
kept? ``retention.py``. How is an image read back from the disk and proven? ``image.py``, by the hashes of
``chunks.py``. What is told of the file systems in it? ``filesystems.py``. All of it in order:
``machine_backup.py``.
"""
