"""The institute's parts fit together, and its site file fits the project."""

import json
import subprocess
import sys
from pathlib import Path

from include.config import site_file
from include.days import grads
from include.ordinal_day import OrdinalDay
from tests.site import Institute, supim


def test_the_site_file_and_connections_are_those_of_the_running_servers(tmp_path: Path) -> None:
    """And sections are merged in."""
    with Institute(tmp_path) as institute:
        path = institute.write_site_file(
            datasets={"supim": {"lookback_days": 3, "source": {"folder": "{year}/{day}"}}}
        )
        env = institute.airflow_env()

    site = site_file.load(path)
    assert (site.supim.lookback_days, site.supim.lag_days, site.supim.source.folder) == (3, 2, "{year}/{day}")
    assert site.supim.source.root == str(institute.source)
    assert env["INPE_BACKUP_SITE"] == str(path)
    assert json.loads(env["AIRFLOW_CONN_SUPIM_CLUSTER"])["port"] == institute.cluster.port
    assert json.loads(env["AIRFLOW_CONN_SMTP_DEFAULT"])["port"] == institute.mail.port


def test_keys_and_ports_survive_a_restart(tmp_path: Path) -> None:
    """So connections noted elsewhere stay valid."""
    with Institute(tmp_path) as first:
        before = first.airflow_env()
    with Institute(tmp_path) as second:
        assert second.airflow_env() == before


def test_importing_the_package_doesnt_load_airflow() -> None:
    """So unit tests start quickly."""
    script = "import sys, tests.site; print(sorted(m for m in sys.modules if m.split('.')[0] == 'airflow'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_a_generated_day_passes_the_projects_own_check(tmp_path: Path) -> None:
    """Generator and check were written independently from the same published format."""
    folder = supim.write_day(tmp_path, OrdinalDay.parse("2024-366"), grid=supim.DEMO)
    for descriptor in folder.glob("descriptor.ctl.*"):
        parsed = grads.parse(descriptor.read_text(encoding="ascii"))
        data = folder / parsed.dset.removeprefix("^")
        names = tuple(variable.name for variable in parsed.variables)
        assert (parsed.shape, names) == (supim.DEMO.shape, supim.VARIABLES)
        assert {parsed.dset: data.stat().st_size} == parsed.files
