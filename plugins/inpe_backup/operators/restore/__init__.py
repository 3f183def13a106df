"""Operators of the restores: ``plan_*.py`` validates the form, ``restore_*.py`` restores a day or a VM."""
