"""MACHINES: their images in the vault, in plain Python and without Airflow.

Want to change how many generations are kept? ``retention.py``. How an image is read back from the disk and
proven? ``image.py``, by the hashes of ``chunks.py``. What is told of the file systems in it?
``filesystems.py``.
"""
