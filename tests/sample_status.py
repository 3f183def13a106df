"""A plausible status of a vault of any size, always the same, with something of everything on the page."""

import base64
import io
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from PIL import Image, ImageDraw

from include.days.record import RevisionCause
from include.days.source import SourceState
from include.ordinal_day import OrdinalDay
from include.results.states import Kind, Outcome, State
from include.status.parts import (
    BootTestStatus,
    DayAtSource,
    DaysPart,
    DayStatus,
    GenerationStatus,
    NextRemoval,
    Part,
    PublishedPart,
    RunPart,
    ScreenPart,
    SourcePart,
    TroubledItem,
    VaultPart,
    VmPart,
    VmsPart,
)
from include.status.space import Space
from include.vms.protection import Protection

VAULT = "3f2a77c0-vault"
PATH = "/backup/vault"
LAG_DAYS = 2
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def published(part: Part, taken: datetime, vault: str = VAULT, path: str = PATH) -> PublishedPart:
    """Return the extra of an asset event with a part."""
    return PublishedPart(vault=vault, path=path, taken=taken, part=part)


def rules(used: int = 6_100_000_000_000, *, keep_days_at_source: int | None = 90) -> VaultPart:
    """Return the vault's own part, with 12 TB in all."""
    total = 12_000_000_000_000
    space = Space(
        path=PATH,
        total_bytes=total,
        used_bytes=used,
        free_bytes=total - used,
        reserve_bytes=600_000_000_000,
        growth_bytes_per_day=2_400_000_000,
    )
    return VaultPart(
        zone="America/Sao_Paulo",
        lag_days=LAG_DAYS,
        max_age_days=30,
        keep_days_at_source=keep_days_at_source,
        vms_schedule="0 2 * * 0",
        space=space,
    )


def day(
    which: OrdinalDay, now: datetime, *, revision: int = 1, damage: str | None = None, age: float = 9
) -> DayStatus:
    """Return a day in the vault that was verified some days ago."""
    copied = datetime.combine(which.date, datetime.min.time(), UTC) + timedelta(days=LAG_DAYS, hours=10)
    verified = max(copied, now - timedelta(days=age))
    return DayStatus(
        day=which,
        revision=revision,
        cause=RevisionCause.FIRST if revision == 1 else RevisionCause.CHANGED,
        files=48,
        bytes=412_000_000 + which.number * 1000,
        copied=copied,
        verified=verified,
        scrubbed=verified > copied,
        run=f"scheduled__{copied:%Y-%m-%dT%H:%M:%S}+00:00_{which}",
        damage=damage,
    )


def vm(name: str, now: datetime, *, weeks: int = 12, slow: bool = False, seed: int = 0) -> VmPart:
    """Return a VM with an image for each of the last weeks."""
    luck = random.Random(f"{name}{seed}")  # noqa: S311 - plausible, not secret
    last = now - timedelta(days=3, hours=luck.randrange(4), minutes=luck.randrange(60))
    size = luck.randrange(20, 400) * 1_000_000_000
    base = luck.uniform(4, 24)
    images = [
        GenerationStatus(
            instant=last - timedelta(weeks=back),
            bytes=size,
            sent_bytes=round(size * luck.uniform(0.01, 0.05)),
            method="cold",
            downtime_s=71.0 if slow and back == 0 else round(base * luck.uniform(0.8, 1.3), 1),
            verified=max(last - timedelta(weeks=back) + timedelta(hours=1), now - timedelta(days=9)),
            booted=back == 2,
            protection=Protection(who="ana", when=now, why="before the upgrade") if back == 5 else None,
        )
        for back in reversed(range(weeks))
    ]
    boot_test = BootTestStatus(
        when=now - timedelta(days=luck.randrange(10, 40)),
        result=State.PASSED,
        how="its serial console showed a log-in",
        seconds=48.0,
        image=images[-1].instant,
    )
    removal = NextRemoval(
        instant=images[0].instant,
        reason="Removed once the next image is verified. Not kept: week 38 of 2026 isn't one of the newest "
        "that are kept (8 weeks).",
    )
    return VmPart(
        name=name,
        host="kvm_host",
        budget_s=60,
        generations=tuple(images),
        boot_test=boot_test,
        next_removal=removal,
        how_imaged=f"Stopped for {images[-1].downtime_s} s, imaged while running, over NBD (vda: qcow2, not "
        "a raw file). Read: 31 GB.",
    )


def run(dag: str, about: Kind, line: str, finished: datetime, **fields: object) -> RunPart:
    """Return a run of half an hour that is good by default."""
    defaults = {"good": True, "items": 3}
    started = finished - timedelta(minutes=31)
    name = f"scheduled__{started:%Y-%m-%dT%H:%M:%S}+00:00"
    return RunPart.model_validate(
        {"dag": dag, "run": name, "about": about, "line": line, "started": started, "finished": finished}
        | defaults
        | fields
    )


def screen(name: str, now: datetime) -> ScreenPart:
    """Return a screenshot of a console with a login prompt."""
    picture = Image.new("P", (320, 180), 0)
    picture.putpalette([12, 14, 18, 190, 200, 190, 90, 200, 120])
    draw = ImageDraw.Draw(picture)
    draw.text((8, 8), "Debian GNU/Linux 12\n\n[  OK  ] Reached target Multi-User", fill=1)
    draw.text((8, 70), f"{name.encode('ascii', 'replace').decode()} login: _", fill=2)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return ScreenPart(name=name, when=now - timedelta(days=9), png=base64.b64encode(file.getvalue()).decode())


def vault(
    now: datetime = NOW, *, years: int = 2, vms: int = 8, **vault_rules: int | None
) -> list[PublishedPart]:
    """Return the events of a vault, oldest first, with days and VMs in many states.

    Args:
        now: when they end.
        years: how many years of days it has.
        vms: how many VMs it has.
        vault_rules: other arguments of :func:`rules`.
    """
    return [published(part, taken) for taken, part in _parts(now, years, vms, vault_rules)]


def _parts(
    now: datetime, years: int, vms: int, vault_rules: dict[str, int | None]
) -> Iterator[tuple[datetime, Part]]:
    newest = OrdinalDay.of(now.date()) - LAG_DAYS
    yield from _space(now, vault_rules)
    missing = {newest - back for back in (17, 18, 19)}
    lost, unknown = {newest - 203}, {newest - back for back in range(310, 316)}
    surveyed = [DayAtSource(day=which, state=SourceState.COMPLETE, reason="") for which in sorted(missing)]
    surveyed += [DayAtSource(day=which, state=SourceState.MISSING, reason="") for which in sorted(lost)]
    yield now - timedelta(hours=2), SourcePart(days=tuple(surveyed))
    for year in range(newest.year - years + 1, newest.year + 1):
        days = [OrdinalDay(year, 1) + number for number in range(366)]
        in_vault = [
            _in_vault(which, now, newest)
            for which in days
            if which.year == year and which <= newest and which not in missing | lost | unknown
        ]
        yield now - timedelta(hours=2), DaysPart(year=year, days=tuple(in_vault))
    names = [f"maq{number + 1}" for number in range(vms)]
    parts = tuple(vm(name, now, slow=name == "maq4") for name in names)
    yield now - timedelta(hours=2), VmsPart(vms=parts)
    yield from ((now - timedelta(days=9), screen(name, now)) for name in names[:4])
    yield from ((part.finished, part) for part in _runs(now, newest))


def _in_vault(which: OrdinalDay, now: datetime, newest: OrdinalDay) -> DayStatus:
    back = (newest.date - which.date).days
    age = 41.0 if 120 < back < 134 else 5.0 + back % 23
    damage = "1 of its 48 files differs from its checksum." if back == 76 else None
    return day(which, now, revision=2 if back in (31, 240) else 1, damage=damage, age=age)


def _space(now: datetime, vault_rules: dict[str, int | None]) -> Iterator[tuple[datetime, Part]]:
    used = 6_100_000_000_000
    for back in reversed(range(0, 200, 2)):
        freed = 210_000_000_000 if back > 74 else 0
        yield now - timedelta(days=back, hours=2), rules(used - back * 7_300_000_000 + freed, **vault_rules)


def _runs(now: datetime, newest: OrdinalDay) -> Iterator[RunPart]:
    for back in reversed(range(8)):
        finished = now - timedelta(days=back, hours=2)
        line = f"SUPIM {newest - back} OK · 1 copied · 2 already safe · 412 MB"
        yield run("supim_daily", Kind.DAYS, line, finished)
    line = "VM OK, 1 warning · 8 imaged · 31 GB · longest downtime 1 min 11 s"
    copy = TroubledItem(
        name="maq1-restored",
        state=State.NOT_CHECKED,
        outcome=Outcome.EXCLUDED,
        reason="It is a copy that a restore made of the image 2026-11-22T05-00-03Z.",
    )
    yield run("vm_weekly", Kind.VMS, line, now - timedelta(days=3), left_out=(copy,))
    line = "SCRUB FAILED · 1 damaged · 214 verified again · 88 GB"
    damaged = TroubledItem(
        name=str(newest - 76),
        state=State.FAILED,
        outcome=Outcome.DAMAGED,
        reason="1 of its 48 files differs from its checksum.",
    )
    yield run("vault_scrub", Kind.SCRUB, line, now - timedelta(days=1), good=False, troubled=(damaged,))
