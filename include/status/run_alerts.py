"""Alerts of runs: what the last ones left to do that no state shows, and no later backup mended. Pure.

A request that was refused, and a dry run, aren't states of the archive: the run before them counts.
"""

from collections.abc import Iterator, Sequence

from include.errors import InvalidDayError
from include.ordinal_day import OrdinalDay
from include.results.states import Kind, Outcome, State
from include.status.alert import Alert, AlertAction, Urgency
from include.status.parts import RunPart, TroubledItem
from include.status.view import VaultView
from include.status.vm_status import VmState, VmStatus
from include.text import counted

_SENTENCES = 3


def of_runs(view: VaultView, vms: Sequence[VmStatus]) -> Iterator[Alert]:
    """Return at most one alert of each DAG, of its last run, and one of its last run of some VMs.

    Args:
        view: the published data.
        vms: the VMs, judged.
    """
    judged, seen = {vm.part.name: vm for vm in vms}, set[tuple[str, bool]]()
    for run in view.runs:
        # A run of some VMs says nothing about the others, so that it hides no older run of all.
        if run.dry_run or run.refused or seen & {(run.dag, False), (run.dag, run.partial)}:
            continue
        seen.add((run.dag, run.partial))
        if run != view.gone and (sentence := _sentence(run, judged)):  # that the vault is gone says it all
            fact = f"run {run.dag} {run.run} {sentence}"
            yield Alert(Urgency.TO_DO, sentence, fact, AlertAction.SHOW_RUN, run.dag, run.run)


def of_gone_vault(view: VaultView) -> Iterator[Alert]:
    """Return the alert of a vault that the last run couldn't open; none if it could be."""
    if run := view.gone:
        what_to_do = "Nothing is backed up until it can be opened. Then clear the failed tasks."
        show = AlertAction.SHOW_RUN, run.dag, run.run
        yield Alert(Urgency.URGENT, f"{run.vault_gone} {what_to_do}", "vault gone", *show, recurs=True)


def _sentence(run: RunPart, vms: dict[str, VmStatus]) -> str:
    """Return what the run left to do; empty if nothing."""
    unexplained = [item for item in run.troubled if not _shown_or_mended(item, run, vms)]
    failed = unexplained or not (run.good or run.troubled)
    line = [f"Last run of {run.dag}: {run.line}."] if failed else []
    more = len(run.needs_action) - _SENTENCES
    rest = [f"{counted(more, 'more sentence')} in its report."] if more > 0 else []
    return " ".join([*line, *run.needs_action[:_SENTENCES], *rest])


def _shown_or_mended(item: TroubledItem, run: RunPart, vms: dict[str, VmStatus]) -> bool:
    if _is_day(item.name):  # the calendar shows its state, and a gap or damage is an alert of its own
        return True
    if run.about is Kind.RESTORE:
        return False
    if run.about is Kind.SCRUB:  # damage of an image is published with its VM, and is gone with the image
        return item.outcome is Outcome.DAMAGED and item.name.rpartition(" ")[0] in vms
    return item.name in vms and _vm_shown_or_mended(vms[item.name], run)


def _vm_shown_or_mended(vm: VmStatus, run: RunPart) -> bool:
    if run.about is Kind.BOOT_TEST:
        test = vm.part.boot_test
        passed_since = test is not None and test.result is State.PASSED and test.when > run.started
        return vm.boot_test_failed or passed_since
    imaged_since = vm.newest is not None and vm.newest.instant > run.started
    return vm.state is not VmState.SAFE or imaged_since


def _is_day(name: str) -> bool:
    try:
        OrdinalDay.parse(name)
    except InvalidDayError:
        return False
    return True
