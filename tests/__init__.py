"""Tests: they mirror ``include/``, ``plugins/`` and ``dags/``; ``site/`` is the stand-in institute."""
