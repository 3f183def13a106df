"""The backup machine of all tests of the set-up for production."""

from collections.abc import Iterator

import pytest

from tests.session import needs
from tests.site import Institute
from tests.site.docker_engine import DockerEngine
from tests.site.production import BackupMachine, set_up_commands


@pytest.fixture(scope="package")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackupMachine]:
    """Set a backup machine up by the README's commands."""
    needs.docker_images()
    vms = needs.lacks_kvm_host() is None
    with Institute(tmp_path_factory.mktemp("production"), vms=vms) as institute:
        machine = BackupMachine(institute, DockerEngine())
        with machine:
            for command in set_up_commands():
                machine.type(command)
                if "env.example" in command:
                    machine.fill_in("/etc/inpe-backup/keys/key")
                    machine.write_site_file()
            yield machine
