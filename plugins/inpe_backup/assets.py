"""The assets that DAGs update, for Airflow, for other people's DAGs and for the page.

``supim_days``                      a day was published; the partition key is the day
``vm_images/<name>``                an image of a VM was published
``backup_status/<vault>/<key>``     a part of a vault's status, for the page (include/status/snapshot.py names
                                    the keys); the vault by its name in the site file, because people see it

Runs create the last two through aliases, because the VMs aren't known before. Their names are plain ASCII,
with VM names percent-encoded, and equal their URIs: ``Asset("vm_images/maq1")`` is enough to schedule on one.
"""

from airflow.sdk import Asset, AssetAlias

from include.names import encoded

SUPIM_DAYS = Asset("supim_days")
VM_IMAGES = AssetAlias("vm_images")
BACKUP_STATUS = AssetAlias("backup_status")

_VAULT = "main"  # the only one that a site file has; its id, which changes with the disk, is in the events


def image_asset(vm: str) -> Asset:
    """Return the asset of a VM's images."""
    return Asset(f"{VM_IMAGES.name}/{encoded(vm)}")


def status_asset(key: str) -> Asset:
    """Return the asset of one part of the vault's status.

    Args:
        key: the part's key, with VM names percent-encoded.
    """
    return Asset(f"{BACKUP_STATUS.name}/{_VAULT}/{key}")
