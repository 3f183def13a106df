"""Test runs: ``make test``, ``make test-all``, ``make endurance``.

suites.py       the tests of each command
announce.py     announces a command, before anything is loaded
__main__.py     runs a suite isolated from this machine, and summarizes it
isolation.py    namespaces for a run: its processes, mounts and ports end with it
leftovers.py    what a run left on the machine
recording.py    the pytest plugin: order, durations, and what can't run on this machine
needs.py        what tests need of a machine, and the command that installs it
durations.py    where a run's time went: ``make durations``
mess.py         tests that leave a mess, for the tests of the clean-up
durations.json  the last measured duration of each group: the longest start first
"""
