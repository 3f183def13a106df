"""The alarm about suspect images ends when a person has removed the file that has the disks read whole."""

from pathlib import Path

from include.report.alarm import damaged, reread_differs
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.distrust import distrust, distrust_file
from inpe_backup import alarm
from tests.dags import text_of
from tests.plugins import test_alarm
from tests.plugins.test_alarm import LOG, context_of, subjects
from tests.site.smtp import MailServer

server = test_alarm.server


def test_suspect_images_are_mailed_and_their_end_too(server: MailServer, tmp_path: Path) -> None:
    """The task that looks at alarms finds the file gone; the VM may be of any name."""
    vault = Vault.create(tmp_path / "vault")
    archive, vms = VmArchive(vault), ("maq1", "reread maq1")
    found = [reread_differs(vm, distrust(archive, vm, "r", "Chunk 5 differs."), "r") for vm in vms]
    alarm.mail_alarms(context_of(), LOG, [*found, damaged("2026-268", "checksum mismatch.")])
    distrust_file(archive, "maq1").unlink()
    for _ in range(2):
        alarm.settle(context_of(), LOG, vault, look_for_damage=False)
    _, end = subjects(server)
    assert end.startswith("RESOLVED · ")
    text = " ".join(text_of(server.mails()[1]).split())
    assert "the disks of maq1 needn't be read whole any more; the alarm was of" in text
    assert list(alarm.MEMORY.read()) == ["reread reread maq1"]
