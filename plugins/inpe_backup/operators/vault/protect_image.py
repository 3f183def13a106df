"""Protect an image of a VM from removal, or lift that, where the vault is."""

from airflow.sdk import Context

from include.errors import ConfigError
from include.vms.archive import VmArchive
from inpe_backup.choices import image_of
from inpe_backup.only_logged import only_logged
from inpe_backup.operators.vault.refresh_status import RefreshStatusOperator

_SOMEBODY = "somebody"  # Airflow knows no user of a run that its own command line started


class ProtectImageOperator(RefreshStatusOperator):
    """Set or lift the protection that the form names, and publish the VMs for the status page.

    A task that is cleared, or tried again, finds its own protection set, or lifted, and only publishes.
    """

    def work(self, context: Context) -> None:
        """Do it.

        Raises:
            ConfigError: a protection has no reason.
            BackupError: there is no such image, or somebody else protects it; nothing was changed.
        """
        params, archive = context["params"], VmArchive(self.vault())
        vm = params["vm"]
        name = image_of(vm, params["generation"])
        is_set = archive.named(vm, name).protection
        if params["lift"]:
            lifted = archive.lift_protection(vm, name) if is_set or not _again(context) else None
            self.log.info("%s %s was %s.", vm, name, lifted.reason if lifted else "not protected any more")
        else:
            who, why = context["dag_run"].triggering_user_name or _SOMEBODY, params["why"]
            if not why:
                raise ConfigError(
                    "A protection needs a reason. Trigger again, and say why. Nothing was changed."
                )
            ours = is_set is not None and (is_set.who, is_set.why) == (who, why)
            done = is_set if is_set and ours else archive.protect(vm, name, who=who, why=why)
            self.log.info("%s %s is %s.", vm, name, done.reason)
        with only_logged(self.log, "That is done; the status page will show it after the next run."):
            super().work(context)


def _again(context: Context) -> bool:
    return context["ti"].try_number > 1
