"""Protect an image of a VM from removal, or lift that, where the vault is."""

from airflow.sdk import Context

from include.config import site_file
from include.errors import BackupError, RequestError, TransientError
from include.report.delivery import to_user
from include.report.refusal import refusal_mail, summary_of
from include.vms.archive import VmArchive
from inpe_backup.choices import image_of
from inpe_backup.only_logged import only_logged
from inpe_backup.operators.vault.refresh_status import RefreshStatusOperator
from inpe_backup.report_mail import send_paragraphs
from inpe_backup.run_note import NOTE

_SOMEBODY = "somebody"  # Airflow knows no user of a run that its own command line started


class ProtectImageOperator(RefreshStatusOperator):
    """Set or lift the protection that the form names, and publish the VMs for the status page.

    A task that is cleared, or tried again, finds its own protection set, or lifted, and only publishes.
    """

    def work(self, context: Context) -> None:
        """Do it, and publish that; who triggered the run gets a mail if it's refused.

        Raises:
            RequestError: a protection has no reason.
            BackupError: there is no such image, or somebody else protects it; nothing was changed.
        """
        try:
            done = self._set_or_lift(context)
        except TransientError:  # it is tried again
            raise
        except BackupError as refused:
            self._report_refusal(context, str(refused))
            raise
        self.log.info("%s", done)
        context["ti"].xcom_push(NOTE, done)
        with only_logged(self.log, "That is done; the status page will show it after the next run."):
            super().work(context)

    def _set_or_lift(self, context: Context) -> str:
        """Do what was asked for, and return what is done, as a sentence."""
        params, archive = context["params"], VmArchive(self.vault())
        vm = params["vm"]
        name = image_of(vm, params["generation"])
        is_set = archive.named(vm, name).protection
        if params["lift"]:
            lifted = archive.lift_protection(vm, name) if is_set or not _again(context) else None
            was = f"; it was {lifted.reason}" if lifted else ""
            return f"{vm} {name} isn't protected any more{was}"
        who, why = context["dag_run"].triggering_user_name or _SOMEBODY, params["why"]
        if not why:
            raise RequestError("A protection needs a reason. Trigger again with one. Nothing was changed.")
        ours = is_set is not None and (is_set.who, is_set.why) == (who, why)
        done = is_set if is_set and ours else archive.protect(vm, name, who=who, why=why)
        return f"{vm} {name} is {done.reason}"

    def _report_refusal(self, context: Context, message: str) -> None:
        """Leave the run's note, and mail to whoever triggered it; an error here is only logged."""
        params, run, ti = context["params"], context["dag_run"], context["ti"]
        request = f"{'UNPROTECT' if params['lift'] else 'PROTECT'} {params['vm']}"
        ti.xcom_push(NOTE, summary_of(request, message))
        with only_logged(self.log, "The refusal couldn't be mailed."):
            mail = site_file.current().mail
            if (delivered := to_user("refused request", mail, run.triggering_user_name)).reason:
                self.log.info("%s", delivered.reason)
                return
            url = ti.log_url.split("/tasks/")[0]
            subject, paragraphs = refusal_mail(request, message, prefix=mail.subject_prefix, run_url=url)
            send_paragraphs(subject, paragraphs, thread=f"request-{run.run_id}", delivered=delivered)


def _again(context: Context) -> bool:
    return context["ti"].try_number > 1
