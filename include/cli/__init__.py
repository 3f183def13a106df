"""FROM A TERMINAL: ``python -m include COMMAND``, with this project and Python, and without Airflow.

A module for each command, named after it (``list``: ``list_command.py``), with two functions:

    def add(commands: Commands) -> None     gives it its name, its help and its arguments, and ends with
                                            ``parser.set_defaults(run=run)``
    def run(options: Namespace) -> int      does it, and gives the exit status

``include/__main__.py`` names these modules. What all of them share (the vault that they are about, tables,
exit statuses) is in ``terminal.py``. What goes wrong is raised as ever: a BackupError's sentence is printed,
and the status is ``terminal.CANT``.
"""
