"""One machine's steps: freeze, pull, verify, publish, release. Each can be cleared and run again."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include import site_file
from include.facts import Facts
from include.machines.facts import FreezeRequest, Frozen
from include.machines.generation import Generations
from include.machines.machine_backup import MachineBackup
from inpe_backup.assets import MACHINE_IMAGES, image_of
from inpe_backup.machine_host import machine_host
from inpe_backup.operators.backup_operator import BackupOperator


class _SecureMachineOperator(BackupOperator):
    template_fields: Sequence[str] = ("machine",)

    def __init__(self, *, machine: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.machine = machine

    def work(self, context: Context) -> dict[str, Any] | None:
        backup = MachineBackup(
            vault=self.vault(),
            host=machine_host(self.machine["host"]),
            machine=self.machine["name"],
            uuid=self.machine["uuid"],
            run=context["dag_run"].run_id,
            reserve_bytes=site_file.current().vault.reserve,
            say=self.say,
        )
        facts = self.step(backup)
        return facts.model_dump(mode="json") if facts else None

    @abstractmethod
    def step(self, backup: MachineBackup) -> Facts | None:
        """Take the step."""


class _ImageOperator(_SecureMachineOperator):
    """A step of a machine that is frozen.

    Args:
        frozen: a ``Frozen`` as JSON.
    """

    template_fields: Sequence[str] = ("machine", "frozen")

    def __init__(self, *, frozen: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frozen = frozen

    @property
    def facts(self) -> Frozen:
        """What the freeze came to."""
        return Frozen.model_validate(self.frozen)


class FreezeMachineOperator(_SecureMachineOperator):
    """Have a machine's disks held at one instant, and the machine running again at once.

    Args:
        machine: ``host``, ``name``, ``uuid`` and ``need_bytes``.
    """

    def step(self, backup: MachineBackup) -> Facts | None:
        """See ``MachineBackup.freeze``."""
        section = site_file.current().machines
        treatment = section.treatment(backup.machine)
        request = FreezeRequest(
            run=backup.run,
            method=treatment.method,
            on_timeout=treatment.on_timeout,
            shutdown_timeout_s=treatment.shutdown_timeout_s,
            lease_s=treatment.lease_s,
            scratch=backup.host.scratch,
            proof=treatment.proof,
        )
        frozen = backup.freeze(request, self.machine["need_bytes"])
        self.log.info("%s was down for %.1f s. %s", frozen.machine, frozen.downtime_s, frozen.proof)
        return frozen


class PullImageOperator(_ImageOperator):
    """Receive a frozen machine's disks into the vault's staging."""

    def step(self, backup: MachineBackup) -> Facts | None:
        """See ``MachineBackup.pull``."""
        return backup.pull(self.facts)


class VerifyImageOperator(_ImageOperator):
    """Prove the images, as read back from the disk, against what the host hashed."""

    def step(self, backup: MachineBackup) -> Facts | None:
        """See ``MachineBackup.prove``."""
        return backup.prove(self.facts)


class PublishImageOperator(_ImageOperator):
    """Give proven images their final name, and tell other DAGs, by an event of the machine's own asset."""

    def __init__(self, *, frozen: Any, **kwargs: Any) -> None:
        super().__init__(frozen=frozen, **{**kwargs, "outlets": [MACHINE_IMAGES]})

    def work(self, context: Context) -> dict[str, Any] | None:
        """Publish the image."""
        from include.standing.machine import generation_facts  # noqa: PLC0415 - the DAG file is read without it

        record, name = super().work(context), self.machine["name"]
        newest = Generations(self.vault()).of(name)[-1]
        told = generation_facts(newest).model_dump(mode="json")
        context["outlet_events"][MACHINE_IMAGES].add(image_of(name), extra=told)
        return record

    def step(self, backup: MachineBackup) -> Facts | None:
        """See ``MachineBackup.publish``."""
        return backup.publish(self.facts)


class ReleaseMachineOperator(_SecureMachineOperator):
    """End what holds a machine's disks at its host, and put it back as it was; whatever failed before.

    Args:
        machine: ``host``, ``name`` and ``uuid``.
    """

    def step(self, backup: MachineBackup) -> Facts | None:
        """See ``MachineBackup.release``."""
        released = backup.release()
        for told in released.repaired:
            self.log.warning("%s: %s", released.machine, told)
        self.log.info("%s is %s.", released.machine, released.state)
        return released
