"""What all tests share: an Airflow home apart from the user's, time-outs, and the costly parts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.one_airflow import OneAirflow, one_airflow
from tests.session import needs
from tests.session.suites import SUITE
from tests.site.kvm_host import KvmHost
from tests.site.renewed import Renewed

if TYPE_CHECKING:
    from tests.site.browser import Browser

pytest_plugins = ["tests.session.recording"]

# Before any import of Airflow, which reads and writes its home then.
os.environ.setdefault("AIRFLOW_HOME", str(Path(__file__).parents[1] / ".test" / "airflow"))

settings.register_profile("patient", deadline=None)
settings.register_profile("endurance", deadline=None, max_examples=5_000)
settings.load_profile("endurance" if os.environ.get(SUITE) == "endurance" else "patient")


# Per module: an event loop runs in the process as long as the browser does, and open pages use the CPU.
@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Start a Chromium."""
    needs.program("chromium")
    from tests.site.browser import Browser  # noqa: PLC0415 - most tests need none

    with Browser() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def ones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Renewed[OneAirflow]]:
    """The worker's one Airflow; if it didn't start, the next module tries again."""
    airflows = Renewed(lambda: one_airflow(tmp_path_factory.mktemp("one")), lambda _: "")
    yield airflows
    airflows.end()


@pytest.fixture(scope="module")
def one(ones: Renewed[OneAirflow]) -> OneAirflow:
    """The worker's one Airflow and its institute."""
    airflow = ones.get()
    airflow.repair()
    return airflow


@pytest.fixture(autouse=True)
def _airflow_repaired(request: pytest.FixtureRequest) -> None:
    """Restart Airflow's services that an earlier test left dead."""
    if "one" in request.fixturenames:
        one: OneAirflow = request.getfixturevalue("one")
        one.repair(request.node)


@pytest.fixture(scope="module")
def hosts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Renewed[KvmHost]]:
    """The module's KVM host: ``set_up`` in the module defines VMs, ``host_fault`` checks them."""
    needs.kvm_host()

    @contextmanager
    def made() -> Iterator[KvmHost]:
        with KvmHost(tmp_path_factory.mktemp("kvm")) as host:
            request.module.set_up(host)
            yield host

    hosts = Renewed(made, getattr(request.module, "host_fault", KvmHost.fault))
    yield hosts
    hosts.end()


@pytest.fixture
def host(hosts: Renewed[KvmHost], request: pytest.FixtureRequest) -> KvmHost:
    """Return the module's KVM host, renewed if it was broken."""
    return hosts.get(request.node)
