# Python, the programs that tasks call, and the locked packages. The project itself is mounted: see
# docker-compose.yaml. Nothing here is secret, and nothing secret can get in: see .dockerignore.
FROM python:3.12-slim-bookworm

# rsync and ssh copy; setpriv (util-linux) ends a copy with its task; qemu-nbd (qemu-utils) lends images to drills.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openssh-client qemu-utils rsync tzdata util-linux \
    && rm -rf /var/lib/apt/lists/*

# The lock names every package: --no-deps lets no other in, and `pip check` says if one is missing. Wheels only,
# as there is no compiler.
COPY requirements.txt /opt/
RUN pip install --no-cache-dir --no-deps --only-binary :all: --requirement /opt/requirements.txt \
    && pip check

# What tasks write into the vault belongs to this number. It needs a name, or ssh refuses to run; a number that
# the system has a name for already, such as Debian's backup (34), is fine.
ARG AIRFLOW_UID
RUN test "$AIRFLOW_UID" -gt 0 || { echo "AIRFLOW_UID must be the number of a user other than root."; exit 1; } \
    && groupadd --non-unique --gid "$AIRFLOW_UID" airflow \
    && useradd --non-unique --uid "$AIRFLOW_UID" --gid "$AIRFLOW_UID" --home-dir /opt/airflow airflow \
    && install --directory --owner airflow --group airflow /opt/airflow /opt/airflow/logs

ENV AIRFLOW_HOME=/opt/airflow
WORKDIR /opt/inpe-backup
USER ${AIRFLOW_UID}:${AIRFLOW_UID}
