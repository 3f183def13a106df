"""The names under which what DAGs do is known to Airflow, to other people's DAGs and to the page.

``supim_days``                          a day was secured; the partition key is the day
``machine_images/<name>``               an image of a machine was secured
``backup_facts/<vault id>/<key>``       how a vault stands (include/standing/reading.py names the keys)

The last two are made at run time, through aliases: nobody knows the machines before. Their names are plain
ASCII, machines percent-encoded, and their URIs the same: ``Asset("machine_images/maq1")`` is the whole of it.
"""

from airflow.sdk import Asset, AssetAlias

from include.names import encoded

SUPIM_DAYS = Asset("supim_days")
MACHINE_IMAGES = AssetAlias("machine_images")
BACKUP_FACTS = AssetAlias("backup_facts")


def image_of(machine: str) -> Asset:
    """Give the asset of a machine's images."""
    return Asset(f"{MACHINE_IMAGES.name}/{encoded(machine)}")


def facts_of(vault: str, key: str) -> Asset:
    """Give the asset of one part of what is known of a vault.

    Args:
        vault: its id.
        key: the part's; a machine's name in it is percent-encoded.
    """
    return Asset(f"{BACKUP_FACTS.name}/{encoded(vault)}/{key}")
