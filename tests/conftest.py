"""What all tests share: an Airflow home that isn't the user's own, and patience on slow machines."""

import os
from pathlib import Path

from hypothesis import settings

# Before anything imports Airflow, which reads and writes its home on import.
os.environ.setdefault("AIRFLOW_HOME", str(Path(__file__).parents[1] / ".test" / "airflow"))

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
