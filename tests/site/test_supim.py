"""The generator's days have the real format, to the byte."""

import struct
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.ordinal_day import OrdinalDay
from tests.site import supim
from tests.site.supim import DEMO, REAL, TINY, Grid

DAY = OrdinalDay.parse("2016-268")


def test_a_day_has_a_descriptor_and_a_data_file_for_each_step(tmp_path: Path) -> None:
    """File names are unpadded, as on the cluster."""
    folder = supim.write_day(tmp_path, DAY)

    assert folder == tmp_path / "2016" / "268"
    assert {path.name for path in folder.iterdir()} == {
        f"{kind}.2016.268.{hour}.0h" for kind in ("descriptor.ctl", "data.dat") for hour in range(24)
    }


@pytest.mark.parametrize("grid", [TINY, DEMO])
def test_every_data_file_has_the_exact_size(tmp_path: Path, grid: Grid) -> None:
    """Three variables of nx x ny x nz floats."""
    folder = supim.write_day(tmp_path, DAY, grid=grid, steps=4)

    assert {path.stat().st_size for path in folder.glob("data.dat.*")} == {grid.step_bytes}


def test_the_real_grid_has_the_institutes_size() -> None:
    """361 x 121 points on 92 heights: 48 MB a step."""
    assert REAL.shape == (361, 121, 92)
    assert REAL.step_bytes == 3 * 361 * 121 * 92 * 4


def test_a_descriptor_breaks_its_lines_as_the_simulation_does() -> None:
    """Fourteen values, then thirteen a line; 1000000 is written 1e+06."""
    lines = supim.describe("data.dat.2016.268.13.0h", DAY, 13 * 60, 24, REAL).splitlines()

    assert lines[0] == "dset ^data.dat.2016.268.13.0h"
    assert lines[3] == "xdef 361 levels " + " ".join(str(lon) for lon in range(-180, -166))
    assert lines[4] == " " + " ".join(str(lon) for lon in range(-166, -153))
    assert "ydef 121 levels -60 -59" in "\n".join(lines)
    assert lines[-8:-5] == [
        " 880000 890000 900000 910000 920000 930000 940000 950000 960000 970000 980000 990000 1e+06",
        "",
        "tdef 1 linear 13:00Z24sep2016 1hr",
    ]
    assert [line.split()[0] for line in lines[-5:]] == ["Vars", "TIMEDIFF", "NE", "TEC", "endvars"]


def test_a_descriptor_can_be_linear() -> None:
    """GrADS' other form: number, first value, spacing; steps of a quarter of an hour are minutes."""
    text = supim.describe("d", DAY, 15, 96, Grid((-85, -84), (-60, -59), (1e5, 2e5), form="linear"))

    assert "xdef 2 linear -85 1\nydef 2 linear -60 1\nzdef 2 levels 100000 200000\n" in text
    assert "tdef 1 linear 0:15Z24sep2016 15mn" in text


def test_values_are_ordered_by_longitude_then_latitude_then_height(tmp_path: Path) -> None:
    """TEC is the same at every height; it's highest in the afternoon."""
    folder = supim.write_day(tmp_path, DAY, grid=DEMO)
    nx, ny, nz = DEMO.shape
    values = struct.unpack(f"<{3 * nx * ny * nz}f", (folder / "data.dat.2016.268.18.0h").read_bytes())
    layers = [values[i : i + nx * ny] for i in range(2 * nx * ny * nz, 3 * nx * ny * nz, nx * ny)]
    brightest = max(range(nx * ny), key=layers[0].__getitem__)

    assert set(values[: nx * ny * nz]) == {45.0}
    assert all(layer == layers[0] for layer in layers)
    assert DEMO.longitudes[brightest % nx] == pytest.approx(-60, abs=5)  # 18 UTC is 14 o'clock there
    assert 10 <= abs(DEMO.latitudes[brightest // nx] + 11) <= 20  # a crest beside the magnetic equator
    assert 30 < max(layers[0]) < 100
    assert max(values[nx * ny * nz : 2 * nx * ny * nz]) == pytest.approx(2e12, rel=0.9)


def test_a_day_is_reproducible_and_another_seed_changes_it(tmp_path: Path) -> None:
    """So a test can write a day that changed at the source."""
    name = "data.dat.2016.268.0.0h"
    first = (supim.write_day(tmp_path / "a", DAY) / name).read_bytes()

    assert (supim.write_day(tmp_path / "b", DAY) / name).read_bytes() == first
    assert (supim.write_day(tmp_path / "c", DAY, seed=1) / name).read_bytes() != first


def test_a_day_looks_settled(tmp_path: Path) -> None:
    """It was written the night after it, but at least an hour ago."""
    today = OrdinalDay.of(datetime.now(tz=UTC))
    past, present = supim.write_day(tmp_path, DAY), supim.write_day(tmp_path, today)

    assert time.strftime("%Y-%j", time.gmtime(past.stat().st_mtime)) == "2016-269"
    assert all(path.stat().st_mtime < time.time() - 3000 for path in present.iterdir())


def test_a_half_written_day_has_a_truncated_last_step(tmp_path: Path) -> None:
    """As during the simulation."""
    folder = supim.write_day(tmp_path, DAY, folder=tmp_path / "elsewhere")
    cut = supim.half_write(folder)

    assert cut == tmp_path / "elsewhere" / "data.dat.2016.268.23.0h"
    assert cut.stat().st_size == TINY.step_bytes // 2
