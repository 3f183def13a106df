"""Makes the images that docker-compose.yaml and Dockerfile name, from Debian's packages.

``python -m tests.site.docker_images`` keeps them in ``.docker_cache``. An engine builds them in a network
namespace of its own, which slirp4netns(1) connects to this machine's network: neither its rules nor its
interfaces change.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.site.airflow_home import PROJECT
from tests.site.docker_engine import CACHE, DockerEngine

PYTHON = "python:3.13-slim-trixie"
SERVERS = {"postgres": "postgres:17-trixie", "redis": "redis:7.2-bookworm"}
"""Folders of ``docker``, and the images they make."""

_NOWHERE = subprocess.DEVNULL
_HERE = Path(__file__).parent / "docker"
_CONNECTED = 'ip link set lo up; until grep -q tap0 /proc/$$/net/dev; do sleep 0.1; done; exec "$@"'
_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]


def main() -> None:
    """Make the images that aren't there yet, and build the project's."""
    if os.geteuid() != 0:
        print("An engine needs root: sudo make docker-images")  # noqa: T201 - a command
    elif "inside" in sys.argv:
        with DockerEngine() as engine:
            _make(engine)
    else:
        subprocess.run([_HERE / "packages.sh"], check=True)
        _run_inside()


def _run_inside() -> None:
    """Run this module again in a network namespace that reaches this machine's network.

    Raises:
        SystemExit: it failed.
    """
    again = [sys.executable, "-m", "tests.site.docker_images", "inside"]
    with ExitStack() as ends:
        inside = subprocess.Popen([*_WITH_US, "unshare", "--net", "--", "sh", "-c", _CONNECTED, "sh", *again])
        ends.callback(inside.kill)
        ours, theirs = Path("/proc/self/ns/net"), Path(f"/proc/{inside.pid}/ns/net")
        while inside.poll() is None and theirs.readlink() == ours.readlink():
            time.sleep(0.05)
        network = [*_WITH_US, "slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback"]
        slirp = subprocess.Popen([*network, str(inside.pid), "tap0"], stdout=_NOWHERE, stderr=_NOWHERE)
        ends.callback(slirp.wait)
        ends.callback(slirp.terminate)
        if status := inside.wait():
            raise SystemExit(status)


def _make(engine: DockerEngine) -> None:
    if not engine.run("images", "--quiet", PYTHON).strip():
        _make_base(engine)
    for folder, image in SERVERS.items():
        engine.run("build", "--quiet", "--tag", image, str(_HERE / folder))
    # As `docker compose build` does it, so that it finds every layer in the engine's cache.
    engine.run("build", "--quiet", "--build-arg", "AIRFLOW_UID=5050", str(PROJECT))
    (CACHE / "images").touch()


def _make_base(engine: DockerEngine) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        root, archive = Path(folder, "root"), Path(folder, "root.tar")
        subprocess.run([_HERE / "base.sh", root, engine.folder / "client" / "cli-plugins"], check=True)
        subprocess.run(["tar", "--create", "--directory", root, "--file", archive, "."], check=True)
        certificates = "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt"
        engine.run("import", "--change", certificates, "--change", 'CMD ["python3"]', str(archive), PYTHON)


if __name__ == "__main__":
    main()
