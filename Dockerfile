# Python, the programs that tasks call, and the locked packages. The project itself is mounted: see
# docker-compose.yaml. The image has no secrets: .dockerignore keeps all other files out.
FROM python:3.13-slim-trixie

# rsync and ssh copy; setpriv (util-linux) ends a copy with its task; partx (util-linux) reads the partition table
# of an image; qemu-nbd (qemu-utils) serves images to boot tests.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openssh-client qemu-utils rsync tzdata util-linux \
    && rm -rf /var/lib/apt/lists/*

# Byte code has a folder of its own, as the project is mounted read-only and every task imports it. That of Python
# and of the packages is part of the image: without it, each service would compile Airflow after every `up`.
ENV PYTHONPYCACHEPREFIX=/opt/bytecode
RUN python -m compileall -qq "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

# The lock names every package: --no-deps installs no other, and `pip check` fails if one is missing. Wheels only,
# because there is no compiler.
COPY requirements.txt /opt/
RUN pip install --no-cache-dir --no-deps --only-binary :all: --requirement /opt/requirements.txt \
    && pip check

# Files in the vault belong to this UID. It needs a user name, or ssh refuses to run; a UID that already has one,
# such as Debian's backup (34), is fine.
ARG AIRFLOW_UID
RUN test "$AIRFLOW_UID" -gt 0 || { echo "AIRFLOW_UID must be the number of a user other than root."; exit 1; } \
    && groupadd --non-unique --gid "$AIRFLOW_UID" airflow \
    && useradd --non-unique --uid "$AIRFLOW_UID" --gid "$AIRFLOW_UID" --home-dir /opt/airflow airflow \
    && install --directory --owner airflow --group airflow /opt/airflow /opt/airflow/logs "$PYTHONPYCACHEPREFIX/opt"

ENV AIRFLOW_HOME=/opt/airflow PATH=/opt/inpe-backup/bin:$PATH
WORKDIR /opt/inpe-backup
USER ${AIRFLOW_UID}:${AIRFLOW_UID}
