"""The report of a weekly VM run: what was planned, what was done, and what the vault holds."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from include.config.site_file import Site
from include.errors import RequestError
from include.report import DowntimeHistory, GenerationNote, GenerationWeeks, Report, causes, removals
from include.report.generation_weeks import Holdings, WeekTable
from include.report.overdue import images_overdue
from include.report.vm_item import VmCase
from include.report.vm_result import VmResult, is_of_end_backup
from include.results.failure import Failure
from include.results.item import Item
from include.results.states import Kind, Outcome, State, WeekState
from include.results.task_labels import task_label
from include.results.tasks import Results, RunFacts, failures_of
from include.status.space import Space, space_now
from include.text import visible
from include.vault.clock import trusted_first
from include.vault.vault import Vault
from include.vms.archive import VmArchive, to_the_second
from include.vms.models import BegunBackup, EndedBackup
from include.vms.plan import VmAction, VmPlan, of_all_hosts
from include.vms.record import VmRecord
from include.vms.removal import RemovedGeneration

UNFINISHED_AFTER_S = 14 * 24 * 3600.0
SHOWN_VMS, SHOWN_IMAGES = 8, 12

_STEPS = ("begin_backup", "transfer_image", "verify_image", "publish_image", "end_backup")
_NOT_LISTED = (
    "Its VMs were not listed: the task left no result; it was killed or never started. Check the log of "
    f"{task_label('list_vms')}, then clear it."
)


def build(site: Site, run: RunFacts, results: Results, vault: Vault | None) -> Report:
    """Build the report of a weekly run from what its tasks left; see ``build.py``."""
    hosts = {host.ssh_conn_id: index for index, host in enumerate(site.vms.hosts)}
    lists = {host: results.result("list_vms", index) for host, index in hosts.items()}
    removed = results.result("apply_retention")
    vms, refused = results.result("check_free_space") or (), results.refused("check_free_space")
    return WeeklyRun(
        site=site,
        run_id=run.run_id,
        started=run.started,
        dry_run=run.dry_run,
        planned=[plan for plan in of_all_hosts(lists.values(), refused) if plan.action is not VmAction.SKIP],
        unlisted_hosts={
            host: next(iter(results.failures("list_vms", index=hosts[host])), None)
            for host, plans in lists.items()
            if plans is None
        },
        results={
            vm["vm"]["name"]: _vm_result(results, index, vm["vm"]["uuid"]) for index, vm in enumerate(vms)
        },
        removed=None if removed is None else [RemovedGeneration.model_validate(one) for one in removed],
        failures=failures_of(results, "check_free_space", "apply_retention"),
        run_url=run.url,
        requested=run.requested,
    ).report(vault)


def _vm_result(results: Results, index: int, uuid: str) -> VmResult:
    begun, record = results.result("begin_backup", index), results.result("publish_image", index)
    ended = results.result("end_backup", index)
    if any(left and left["uuid"] != uuid for left in (begun, record)):
        return VmResult()  # check_free_space was cleared without the tasks after it, and left another order
    return VmResult(
        begun=begun and BegunBackup.model_validate(begun),
        record=record and VmRecord.model_validate(record),
        ended=ended and EndedBackup.model_validate(ended),
        failures=tuple(results.failures(*_STEPS, index=index)),
    )


@dataclass(frozen=True)
class WeeklyRun:
    """All that is known of a run when its report is built; failed tasks leave gaps.

    Args:
        site: the site file.
        run_id: the run's id.
        started: when it began.
        dry_run: whether it only planned.
        planned: the plans for the VMs of all hosts whose VMs could be listed, without those not asked for.
        unlisted_hosts: the connections of the other hosts, each with the failure, if known.
        results: what the tasks of each VM left, by the VM's name.
        removed: the generations that retention gave up; None: retention left no result.
        failures: of tasks that work for the whole run.
        run_url: the run's page in the web UI.
        requested: names or patterns of the VMs that the run was asked for; empty: all.
    """

    site: Site
    run_id: str
    started: datetime
    dry_run: bool
    planned: list[VmPlan]
    unlisted_hosts: Mapping[str, Failure | None]
    results: Mapping[str, VmResult]
    removed: list[RemovedGeneration] | None
    failures: list[Failure]
    run_url: str | None = None
    requested: tuple[str, ...] = ()

    def report(self, vault: Vault | None) -> Report:
        """Return the report; without a vault it leaves out generations and space."""
        holdings = Holdings.read(vault) if vault else Holdings({})
        cases = list(self._cases(holdings))
        items = [case.item for case in cases]
        calendar, held = self._calendar, self._retention_held(cases, vault)
        overdue = self._images_overdue(holdings)
        return Report(
            kind=Kind.VMS,
            title="VM",
            requested=self.requested,
            institute=self.site.institute.name,
            timezone=self.site.institute.timezone,
            dry_run=self.dry_run,
            started=self.started,
            finished=datetime.now(UTC),
            items=(*self._unlisted(), *items),
            mondays=calendar.mondays if vault else (),
            generations=tuple(self._rows(holdings, items)) if vault else (),
            downtimes=self._downtimes(cases, holdings),
            space=self._space(vault, cases) if vault else None,
            removed=tuple(self._removed(vault)),
            protected=tuple(holdings.protected),
            needs_action=(*self._needs_person(cases, holdings, vault), *held, *overdue),
            known_states=tuple(overdue),
            beside_failures=(*held, *overdue),
            archive=self.site.vault.path,
            verification_command=self._verification_command(
                holdings, [case.record for case in cases if case.record]
            ),
            run_url=self.run_url,
        )

    def _cases(self, holdings: Holdings) -> Iterator[VmCase]:
        names = Counter(plan.name for plan in self.planned)
        for plan in self.planned:
            result = self.results.get(plan.name) if plan.action is VmAction.IMAGE else None
            records = holdings.records(plan.name)
            yield VmCase(
                name=f"{plan.name} of {plan.host}" if names[plan.name] > 1 else plan.name,
                planned=plan,
                result=result,
                record=self._published(result, records),
                last=next((last for last in reversed(records) if last.method == plan.method), None),
                budget_s=self.site.vms.settings(plan.name).downtime_budget_s,
                clean_dry_run=self.dry_run and not self.failures,
                is_refused=any(failure.error == RequestError.__name__ for failure in self.failures),
                zone=self.site.institute.zone,
                uri=self.site.vms.uri(plan.host),
            )

    def _published(self, result: VmResult | None, records: Sequence[VmRecord]) -> VmRecord | None:
        """Return the record of what this run published: a task may have been killed after publishing."""
        if not result or result.record:
            return result.record if result else None
        if any(not is_of_end_backup(failure) for failure in result.failures):
            return None
        started = self.started
        ours = (own for own in records if own.run == self.run_id and own.verifications[-1].when >= started)
        return next(ours, None)

    def _unlisted(self) -> Iterator[Item]:
        for host, failure in self.unlisted_hosts.items():
            yield Item(
                name=host,
                own=True,
                state=State.FAILED,
                outcome=Outcome.NOT_LISTED,
                reason=failure.message if failure else _NOT_LISTED,
                cause=causes.cause(failure, Kind.VMS) if failure else None,
            )

    @property
    def _calendar(self) -> WeekTable:
        zone = self.site.institute.zone
        return WeekTable(self.started.astimezone(zone).date(), zone, self.site.vms.keep.weekly)

    def _rows(self, holdings: Holdings, items: Sequence[Item]) -> Iterator[GenerationWeeks]:
        now = {
            plan.name: WeekState.WOULD_IMAGE if item.outcome is Outcome.WOULD_IMAGE else WeekState.FAILED
            for plan, item in zip(self.planned, items, strict=True)
            if plan.action is not VmAction.EXCLUDE
        }
        for name in sorted({*now} if self.requested else {*holdings.of, *now}):
            yield self._calendar.row(
                name, holdings.of.get(name, ()), now.get(name) or self._now(holdings, name)
            )

    def _now(self, holdings: Holdings, name: str) -> WeekState:
        """Return this week's state of a VM without a plan: it is gone, or its host wasn't listed."""
        hosts = [record.host for record in holdings.records(name)[-1:]]
        return WeekState.FAILED if set(hosts) & set(self.unlisted_hosts) else WeekState.NOTHING

    def _downtimes(self, cases: Sequence[VmCase], holdings: Holdings) -> tuple[DowntimeHistory, ...]:
        """Return the downtimes of the VMs that came closest to their budgets, or exceeded them most."""
        rows = [_downtimes_of(case, holdings.records(case.planned.name)) for case in cases if case.record]
        known = [row for row in rows if row.seconds]
        known.sort(key=lambda row: row.seconds[-1] / max(row.budget_s, 0.001), reverse=True)
        return tuple(known[:SHOWN_VMS])

    def _space(self, vault: Vault, cases: Sequence[VmCase]) -> Space:
        added = sum(case.record.bytes for case in cases if case.record)
        gone = sum(one.bytes for one in self.removed or () if not one.refused)
        space = space_now(vault, (), self.site)
        return space.model_copy(update={"added_bytes": added, "gone_bytes": gone})

    def _removed(self, vault: Vault | None) -> Iterator[GenerationNote]:
        """Yield what was removed, or would be now: nothing, if the run couldn't back up every VM."""
        if not vault or not self.dry_run:
            yield from removals.gone(self.removed or ())
        elif not (
            self.failures or self.unlisted_hosts or any(vm.action is VmAction.REFUSE for vm in self.planned)
        ):
            vms = [vm.name for vm in self.planned if vm.action is VmAction.IMAGE]
            yield from removals.would_go(vault, self.site, vms, self.started)

    def _retention_held(self, cases: Sequence[VmCase], vault: Vault | None) -> list[str]:
        """Return that retention removed nothing, because of what this run couldn't back up; else nothing."""
        if self.dry_run or self.removed or self.failures or not vault:
            return []
        made = [case.record for case in cases if case.record]
        failed = [case.name for case in cases if case.holds_retention] + [*self.unlisted_hosts]
        return list(filter(None, [removals.held(vault, self.site, made, failed)]))

    def _images_overdue(self, holdings: Holdings) -> list[str]:
        """Return that no scrub has verified some images in time; a run of some VMs doesn't look."""
        if self.requested or self.dry_run:
            return []
        held = (one.generation for generations in holdings.of.values() for one in generations)
        return images_overdue(held, self.site, self.started)

    def _needs_person(
        self, cases: Sequence[VmCase], holdings: Holdings, vault: Vault | None
    ) -> Iterator[str]:
        for case in sorted(cases, key=lambda case: not case.item.outcome.is_alarm):
            yield from case.needs_action()
        yield from (failure.message for failure in self.failures)
        yield from dict.fromkeys(plan.host_warning for plan in self.planned if plan.host_warning)
        yield from removals.still_there(self.removed or ())
        yield from (
            f"{generation.record_file} can't be read. Its generation is not counted as a backup."
            for generation in holdings.damaged
        )
        yield from (
            f"{generation.folder} is dated in the future: a clock was wrong. It isn't counted as recent, and "
            "is restored only if it is named. Check the clocks of this machine and the VM's host."
            for generation in holdings.ahead
        )
        yield from _unfinished(vault) if vault else ()

    def _verification_command(self, holdings: Holdings, made: Sequence[VmRecord]) -> str | None:
        """Return a command that verifies an image of this run, or else the newest of the VMs asked for.

        Only an image whose path is shown as it is can be verified by copying the command.
        """
        asked = {plan.name for plan in self.planned} if self.requested else holdings.of
        readable = [
            one.generation for vm, held in holdings.of.items() if vm in asked for one in held if one.record
        ]
        ours = {(record.vm, to_the_second(record.instant)) for record in made}
        fit = [one for one in readable if visible(str(one.folder)) == str(one.folder)]
        best = max(
            fit, key=lambda one: ((one.vm, one.instant) in ours, trusted_first(one.instant)), default=None
        )
        return f"cd {shlex.quote(str(best.folder))} && sha256sum --check --quiet SHA256SUMS" if best else None


def _downtimes_of(case: VmCase, records: Sequence[VmRecord]) -> DowntimeHistory:
    stopped = [record for record in records if record.was == "running" and record.method in ("cold", "copy")]
    last = stopped[-SHOWN_IMAGES:]
    return DowntimeHistory(
        name=case.name,
        budget_s=case.budget_s,
        instants=tuple(record.instant for record in last),
        seconds=tuple(record.downtime_s for record in last),
    )


def _unfinished(vault: Vault) -> Iterator[str]:
    for staged in VmArchive(vault).left_staged(UNFINISHED_AFTER_S):
        yield (
            f"{staged.folder} holds an unfinished image that no run has resumed. Back up {staged.vm} again, "
            "or remove the folder."
        )
