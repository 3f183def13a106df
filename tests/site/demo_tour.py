"""Five things to try while the demo is up, each with its command or click; some of them break something."""

from collections.abc import Iterator
from dataclasses import dataclass

from include.ordinal_day import OrdinalDay
from tests.site import Institute
from tests.site.demo_terminal import shown

VM = "maq3"  # its disk is a file that this machine sees, too


@dataclass(frozen=True)
class Tour:
    """What the demo prints last.

    Args:
        institute: the institute.
        page: the address of the page Backups.
        earlier: days that only the source has, oldest first.
        day: a published day, not the newest.
    """

    institute: Institute
    page: str
    earlier: list[OrdinalDay]
    day: OrdinalDay

    def text(self) -> str:
        """Return the stops, numbered; without a KVM host there are four."""
        stops = [
            self._look,
            self._backfill,
            self._damage,
            *[self._lose_vm] * self.institute.vms,
            self._lose_source,
        ]
        lines = ["Things to try, in this folder, once you typed `. " + self._env + "`:"]
        for number, stop in enumerate(stops, 1):
            first, *rest = stop()
            lines += ["", f" {number}. {first}", *(f"    {line}" for line in rest)]
        return "\n".join(lines)

    @property
    def _env(self) -> str:
        return shown(self.institute.root / "env")

    def _look(self) -> Iterator[str]:
        yield f"See what is safe: {self.page}. Click a day or a VM; in Runs, each has its report."

    def _backfill(self) -> Iterator[str]:
        first, last = self.earlier[0], self.earlier[-1]
        yield f"Back up four days of the past: on the page, Back up days …, {first} to {last}; or"
        yield f"airflow backfill create --dag-id supim_daily --from-date {first.date} --to-date {last.date}"

    def _damage(self) -> Iterator[str]:
        folder = self.institute.vault / "supim" / f"{self.day.year}" / f"{self.day.number:03d}"
        file = shown(next(folder.glob("data.dat.*.12.*"), folder))
        yield f"Damage a byte of {self.day}. Verifying finds it; a run for the day fetches it again."
        yield f"chmod u+w {file}"
        yield f"printf X | dd of={file} conv=notrunc status=none"
        yield f"inpe-backup verify {self.day} --record"
        yield f"""airflow dags trigger supim_daily --conf '{{"day": "{self.day}"}}'"""

    def _lose_vm(self) -> Iterator[str]:
        disk = shown(self.institute.kvm_host.disk(VM, "vda"))
        form = f'{{"vm": "{VM}", "how": "in place", "confirm": "{VM}", "start": true}}'
        yield f"Lose the disk of {VM}, and restore it in place: on the page, click {VM}; or the third line."
        yield f"virsh destroy {VM} && rm {disk}"
        yield f"virsh start {VM}   # it can't"
        yield f"airflow dags trigger vm_restore --conf '{form}'"
        yield "virsh list --all   # some seconds later"

    def _lose_source(self) -> Iterator[str]:
        source = shown(self.institute.source)
        yield "Unmount the cluster's disk. The run fails, and its mail and the page say why and what to do."
        yield f"mv {source} {source}.away"
        yield f"""airflow dags trigger supim_daily --conf '{{"day": "{self.day}"}}'"""
        yield f"mv {source}.away {source}   # then the second line again: all is well"
