"""The site file: complete as shipped, and wrong ones complained about all at once, by path."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from include import site_file
from include.audit.section import AuditSection
from include.errors import ConfigError
from include.machines import section
from include.machines.facts import LifeSigns
from include.machines.retention import Keep

SHIPPED = yaml.safe_load(site_file.DEFAULT_PATH.read_text(encoding="utf-8"))
NEEDED: dict[str, dict[str, Any]] = {
    "mail": {"to": ["a@b.example"]},
    "vault": {"path": "/vault"},
    "supim": {"source": {"root": "/data"}},
}


def load(tmp_path: Path, content: object) -> site_file.Site:
    """Write a site file and read it."""
    path = tmp_path / "site.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return site_file.load(path)


def refused(tmp_path: Path, content: object) -> str:
    """Give the sentence with which a site file is refused."""
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path, content)
    return str(wrong.value)


def changed(section: str, **keys: object) -> dict[str, Any]:
    """Give the least site file with some keys of one section changed."""
    return NEEDED | {section: {**NEEDED.get(section, {}), **keys}}


def keys_of(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """Give the path of every key that a model knows."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from ((name, *below) for below in keys_of(field.annotation))
        else:
            yield (name,)


def keys_in(content: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Give the path of every key that a file holds."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from ((name, *below) for below in keys_in(value))
        else:
            yield (name,)


def test_the_shipped_file_is_valid_and_names_every_key_there_is() -> None:
    """So that it is the manual of itself."""
    assert site_file.load(site_file.DEFAULT_PATH).supim.source.connection == "supim_cluster"
    assert sorted(keys_in(SHIPPED)) == sorted(keys_of(site_file.Site))


def test_the_shipped_files_values_are_the_defaults(tmp_path: Path) -> None:
    """What is left out is as the shipped file says, so a short file is no other site."""
    least = {
        "mail": {"to": SHIPPED["mail"]["to"]},
        "vault": {"path": SHIPPED["vault"]["path"]},
        "supim": {"source": {"root": SHIPPED["supim"]["source"]["root"]}},
        "machines": {"hosts": [{"machines": ["maq*"]}]},
    }
    assert load(tmp_path, least) == site_file.load(site_file.DEFAULT_PATH)


def test_every_key_is_described() -> None:
    """In the model, for whoever reads it from there."""
    models: list[type[BaseModel]] = [site_file.Institute, site_file.Mail, site_file.VaultSection]
    models += [site_file.SourceSection, site_file.Supim]
    models += [section.MachinesSection, section.HostSection, section.Special, LifeSigns, Keep]
    models += [AuditSection]
    for model in models:
        for name, field in model.model_fields.items():
            assert field.description or name == "source", f"{model.__name__}.{name}"


def test_several_errors_are_told_at_once_with_their_paths(tmp_path: Path) -> None:
    """A person mends them in one go."""
    told = refused(
        tmp_path,
        {
            "institute": {"timezone": "Sao Paulo"},
            "mail": {"to": ["a@b.example", "nobody"]},
            "vault": {"path": "backup", "reserve": "a lot", "colour": "green"},
            "supim": {"lag_days": "two", "schedule": "@daily", "source": {"folder": "{year}"}},
        },
    )
    path = tmp_path / "site.yaml"
    assert told.splitlines()[0] == f"The site file {path} has 9 wrong keys:"
    assert [line.split(": ")[0] for line in told.splitlines()[1:]] == [
        "  institute.timezone",
        "  mail.to[1]",
        "  vault.path",
        "  vault.reserve",
        "  vault.colour",
        "  supim.schedule",
        "  supim.lag_days",
        "  supim.source.root",
        "  supim.source.folder",
    ]
    assert "mail.to[1]: 'nobody' is no mail address. (found: 'nobody')" in told
    assert "vault.colour: there is no such key" in told
    assert "supim.source.root: missing" in told
    assert "'Sao Paulo' is no time zone. Write one such as America/Sao_Paulo or UTC." in told


@pytest.mark.parametrize("content", ["", "# nothing\n", "{}", "null"])
def test_an_empty_file_lacks_what_only_a_site_can_know(tmp_path: Path, content: str) -> None:
    """Recipients, vault and source have no safe default."""
    lines = refused(tmp_path, content).splitlines()
    assert lines[1:] == ["  mail: missing", "  vault: missing", "  supim: missing"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("mail: [", "is no YAML: while parsing"),
        ("\tmail: x", "is no YAML: while scanning"),
        ("mail: !!python/object/apply:os.system [id]", "is no YAML: could not determine a constructor"),
        ("institute: {name: 2026-13-45}", "is no YAML: month must be in 1..12"),
        ("- mail", "the whole file: Input should be a valid dictionary"),
        ("just words", "the whole file: Input should be a valid dictionary"),
        ("mail: 7", "mail: Input should be a valid dictionary"),
    ],
)
def test_what_is_no_site_file_is_refused(tmp_path: Path, content: str, told: str) -> None:
    """With the reader's own words."""
    assert told in refused(tmp_path, content)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A picture, for example."""
    path = tmp_path / "site.yaml"
    path.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ConfigError, match="is no YAML"):
        site_file.load(path)


def test_a_file_that_cant_be_read_is_refused(tmp_path: Path) -> None:
    """Missing, or a folder."""
    for path, reason in ((tmp_path / "none.yaml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError) as wrong:
            site_file.load(path)
        assert str(wrong.value) == f"The site file {path} can't be read: {reason}."


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("20 GB", 20 * 10**9),
        ("20GB", 20 * 10**9),
        ("64MiB", 64 * 2**20),
        ("1.5 TiB", 1.5 * 2**40),
        ("512", 512),
        (0, 0),
        (4096, 4096),
    ],
)
def test_sizes_are_written_with_their_units(tmp_path: Path, written: str, count: float) -> None:
    """GB are decimal, GiB binary; a bare number is bytes."""
    assert load(tmp_path, changed("vault", reserve=written)).vault.reserve == count


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("vault", "reserve", "-1 GB"),
        ("vault", "reserve", -1),
        ("vault", "reserve", "20 parsecs"),
        ("vault", "path", ""),
        ("vault", "path", "relative/folder"),
        ("vault", "path", "/backup/../etc"),
        ("vault", "path", "/back\0up"),
        ("vault", "path", None),
        ("mail", "to", []),
        ("mail", "to", ["@b"]),
        ("mail", "to", ["a@"]),
        ("mail", "to", ["a@b\nBcc: all@c"]),
        ("mail", "to", 7),
        ("mail", "subject_prefix", ["x"]),
        ("institute", "timezone", "Mars/Olympus_Mons"),
        ("supim", "lag_days", -1),
        ("supim", "lag_days", 31),
        ("supim", "lag_days", 1.5),
        ("supim", "look_back", 367),
        ("supim", "recheck_s", 0),
        ("supim", "retry_delay_s", 0),
        ("supim", "give_up_after_s", -1),
        ("supim", "steps_per_day", 0),
        ("supim", "check_descriptors", "perhaps"),
        ("supim", "schedule", "30 6 * * 1"),
        ("supim", "schedule", "*/5 * * * *"),
        ("supim", "schedule", "60 6 * * *"),
        ("supim", "schedule", "30 24 * * *"),
        ("supim", "schedule", "30 6 * * *\n"),
        ("supim", "schedule", "3\u0660 6 * * *"),
        ("supim", "source", {"root": "data"}),
        ("supim", "source", {"root": "/data", "folder": "/{year}/{day}"}),
    ],
)
def test_a_wrong_value_is_told_by_its_path(tmp_path: Path, section: str, key: str, value: object) -> None:
    """Nothing is guessed and nothing is cut to fit."""
    told = refused(tmp_path, changed(section, **{key: value}))
    assert told.splitlines()[0].endswith("has 1 wrong key:")
    assert f"  {section}.{key}" in told


@pytest.mark.parametrize("schedule", ["30 6 * * *", "0 0 * * *", "59 23 * * *", "05 06 * * *"])
def test_a_schedule_is_once_a_day(tmp_path: Path, schedule: str) -> None:
    """A run's day is counted from its date, so there is one run a date."""
    content = changed("supim", schedule=schedule, source={"root": "/data"})
    assert load(tmp_path, content).supim.schedule == schedule


def test_one_address_needs_no_list(tmp_path: Path) -> None:
    """As most sites will write it."""
    assert load(tmp_path, changed("mail", to="a@b.example")).mail.to == ["a@b.example"]


def test_the_site_file_in_force_is_the_environments_or_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable counts as none."""
    other = tmp_path / "site.yaml"
    load(tmp_path, changed("institute", name="Elsewhere"))
    try:
        for variable, name in ((str(other), "Elsewhere"), ("", SHIPPED["institute"]["name"])):
            monkeypatch.setenv("INPE_BACKUP_SITE", variable)
            site_file.current.cache_clear()
            assert site_file.current().institute.name == name
    finally:
        site_file.current.cache_clear()
