"""RESTORE: days and machines of the vault brought back to where people want them, proven before and after.

Want to change what a person may ask for? ``request.py``. Which revision is taken, and how the vault's copy is
proven? ``wanted.py``. What is done about each file, and what is refused? ``decision.py``. How a folder is
asked and written to, here or on another host? ``target.py``, answered by ``target_agent.py`` there; the way
into a folder of this machine is ``local_door.py``; files are moved by ``sending.py``. How one day goes
there, all in all? ``day.py``.

Machines: what is asked for? ``machine_wish.py``. Of which generation? ``machine_choice.py``. That it is
whole? ``machine_proof.py``, and its images as they are sent. What becomes of its definition?
``machine_definition.py``. What its host is asked to do? ``machine_request.py``. How it gets there, chunk by
chunk? ``machine_restore.py``, over ``machine_sender.py``; the host's side is ``agent/receive.py`` and
``swap.py``. Without a host, into a folder? ``machine_folder.py``.
"""
