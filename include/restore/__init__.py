"""Backups brought back.

Machines: what is asked for? ``machine_wish.py``. Of which generation? ``machine_choice.py``. What becomes of
its definition? ``machine_definition.py``. What its host is asked to do? ``machine_request.py``. How it gets
there, chunk by chunk? ``machine_restore.py``, over ``sender.py``; the host's side is ``agent/receive.py`` and
``swap.py``. Without a host, into a folder? ``machine_folder.py``.
"""
