"""List the VMs of a host, and plan what to do with each."""

from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.vms.models import HostSurvey, KeptReference
from include.vms.plan import VmAction, VmPlan, decide, require_scratch
from inpe_backup.operators.vms.agent_command import AgentCommandOperator
from inpe_backup.start_deadline import deadline_counts, require_in_time


class ListVmsOperator(AgentCommandOperator):
    """List a host's VMs, and plan what to do with those that the site file names. Touches none."""

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Return a ``VmPlan`` as JSON for each VM."""
        if deadline_counts(context):
            require_in_time(
                context, "No VM was stopped. Clear the run to back up the VMs now, or wait for the next run."
            )
        section = site_file.current().vms
        host = section.host(str(self.ssh_conn_id))
        survey = self.ask(HostSurvey, "survey", *([f"--scratch={host.scratch}"] if host.scratch else []))
        plans = decide(section, host, survey, self.requested_vms(context))
        for plan in plans:
            self.log.info("%s: %s. %s", plan.name, plan.action, plan.reason)
            for one in plan.left_out if plan.action is VmAction.IMAGE else ():
                self.log.warning("%s: not in the image: %s", plan.name, one.description)
        for warning in dict.fromkeys(plan.host_warning for plan in plans if plan.host_warning):
            self.log.warning(warning)
        self._drop_references(survey, plans)
        require_scratch(survey, plans)
        return [plan.model_dump(mode="json") for plan in plans]

    def _drop_references(self, survey: HostSurvey, plans: list[VmPlan]) -> None:
        """Remove the clones of excluded VMs that wait on the host for a backup that won't come."""
        excluded = {plan.uuid for plan in plans if plan.action is VmAction.EXCLUDE}
        for vm in survey.vms:
            if vm.has_reference and vm.uuid in excluded:
                self.ask(KeptReference, "drop-reference", "--why=it is excluded", "--", vm.uuid)
                self.log.info("%s: excluded, so its clones that waited for a backup were removed.", vm.name)
