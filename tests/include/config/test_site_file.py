"""The site file: the shipped one is complete, and all mistakes of a wrong one are reported at once."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from include.config import boot_test, datasets, heartbeats, mail, scrub, site_file, vms
from include.errors import ConfigError

SHIPPED = yaml.safe_load(site_file.DEFAULT_PATH.read_text(encoding="utf-8"))
NEEDED: dict[str, dict[str, Any]] = {
    "mail": {"to": ["a@b.example"]},
    "vaults": {"main": {"path": "/vault"}},
    "datasets": {"supim": {"source": {"root": "/data"}}},
}


def load(tmp_path: Path, content: object) -> site_file.Site:
    """Write a site file and read it."""
    path = tmp_path / "site.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return site_file.load(path)


def refused(tmp_path: Path, content: object) -> str:
    """Return the message with which a site file is refused."""
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path, content)
    return str(wrong.value)


def changed(section: str, **keys: object) -> dict[str, Any]:
    """Return the smallest site file, with some keys of one section changed: ``datasets.supim``."""
    site: dict[str, Any] = copy.deepcopy(NEEDED)
    target = site
    for name in section.split("."):
        target = target.setdefault(name, {})
    target.update(keys)
    return site


def keys_of(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key of a model."""
    for name, field in model.model_fields.items():
        choices = get_args(field.annotation)
        section = choices[0] if type(None) in choices else field.annotation  # GradsCheck | None
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from ((name, *below) for below in keys_of(section))
        else:
            yield (name,)


def keys_in(content: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key in a file."""
    for name, value in content.items():
        if isinstance(value, dict) and value:  # users: {}
            yield from ((name, *below) for below in keys_in(value))
        else:
            yield (name,)


def test_the_shipped_file_is_valid_and_has_every_key() -> None:
    """So that it documents itself."""
    assert site_file.load(site_file.DEFAULT_PATH).supim.source.ssh_conn_id == "supim_cluster"
    assert sorted(keys_in(SHIPPED)) == sorted(keys_of(site_file.Site))


def test_the_shipped_files_values_are_the_defaults(tmp_path: Path) -> None:
    """So a key may be left out of a site's own file."""
    shortest = {
        "mail": {"to": SHIPPED["mail"]["to"]},
        "vaults": {"main": {"path": SHIPPED["vaults"]["main"]["path"]}},
        "datasets": {"supim": {"source": {"root": SHIPPED["datasets"]["supim"]["source"]["root"]}}},
        "vms": {"hosts": [{"vms": ["maq*"]}]},
    }
    assert load(tmp_path, shortest) == site_file.load(site_file.DEFAULT_PATH)


def test_every_key_is_described() -> None:
    """In the model, for the reference of the site file."""
    models: list[type[BaseModel]] = [
        site_file.InstituteSection,
        mail.MailSection,
        mail.MailWhenSection,
        site_file.VaultSection,
    ]
    models += [datasets.SourceSection, datasets.SupimSection, datasets.CheckSection, datasets.GradsCheck]
    models += [vms.VmsSection, vms.HostSection, vms.VmOverride, vms.HealthChecks, vms.KeepRules]
    models += [
        boot_test.BootTestSection,
        boot_test.BootTestOverride,
        boot_test.BootChecks,
        scrub.ScrubSection,
        heartbeats.HeartbeatsSection,
    ]
    for model in models:
        for name, field in model.model_fields.items():
            assert field.description or name in ("source", "check"), f"{model.__name__}.{name}"


def test_several_mistakes_are_reported_at_once_with_their_paths(tmp_path: Path) -> None:
    """A person fixes them in one go."""
    message = refused(
        tmp_path,
        {
            "institute": {"timezone": "Sao Paulo"},
            "mail": {"to": ["a@b.example", "nobody"]},
            "vaults": {"main": {"path": "backup", "reserve": "a lot", "colour": "green"}},
            "datasets": {"supim": {"lag_days": "two", "schedule": "@daily", "source": {"folder": "{year}"}}},
        },
    )
    path = tmp_path / "site.yaml"
    assert message.splitlines()[0] == f"The site file {path} has 9 wrong keys:"
    assert [line.split(": ")[0] for line in message.splitlines()[1:]] == [
        "  institute.timezone",
        "  mail.to[1]",
        "  vaults.main.path",
        "  vaults.main.reserve",
        "  vaults.main.colour",
        "  datasets.supim.schedule",
        "  datasets.supim.lag_days",
        "  datasets.supim.source.root",
        "  datasets.supim.source.folder",
    ]
    assert "mail.to[1]: 'nobody' is no mail address. (found: 'nobody')" in message
    assert "vaults.main.colour: there is no such key" in message
    assert "datasets.supim.source.root: missing" in message
    assert "'Sao Paulo' is no time zone. Write one such as America/Sao_Paulo or UTC." in message


@pytest.mark.parametrize("content", ["", "# nothing\n", "{}", "null"])
def test_an_empty_file_lacks_recipients_vault_and_source(tmp_path: Path, content: str) -> None:
    """They have no safe default."""
    lines = refused(tmp_path, content).splitlines()
    assert lines[1:] == ["  mail: missing", "  vaults: missing", "  datasets: missing"]


@pytest.mark.parametrize(
    ("content", "message"),
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
def test_a_file_that_is_no_yaml_or_no_site_file_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    """With the parser's own message."""
    assert message in refused(tmp_path, content)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    """A picture, for example."""
    path = tmp_path / "site.yaml"
    path.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ConfigError, match="is no YAML"):
        site_file.load(path)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """It may be missing, or a folder."""
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
    assert load(tmp_path, changed("vaults.main", reserve=written)).vault.reserve == count


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("vaults.main", "queue", "vault,default"),
        ("vaults.main", "reserve", "-1 GB"),
        ("vaults.main", "reserve", -1),
        ("vaults.main", "reserve", "20 parsecs"),
        ("vaults.main", "path", ""),
        ("vaults.main", "path", "relative/folder"),
        ("vaults.main", "path", "/backup/../etc"),
        ("vaults.main", "path", "/back\0up"),
        ("vaults.main", "path", None),
        ("mail", "to", []),
        ("mail", "to", ["@b"]),
        ("mail", "to", ["a@"]),
        ("mail", "to", ["a@b\nBcc: all@c"]),
        ("mail", "to", 7),
        ("mail", "users", {"ana": "nobody"}),
        ("mail.when", "days", "never"),
        ("mail", "subject_prefix", ["x"]),
        ("institute", "timezone", "Mars/Olympus_Mons"),
        ("datasets.supim", "lag_days", -1),
        ("datasets.supim", "lag_days", 31),
        ("datasets.supim", "lag_days", 1.5),
        ("datasets.supim", "lookback_days", 367),
        ("datasets.supim", "poke_interval_s", 0),
        ("datasets.supim", "retry_delay_s", 0),
        ("datasets.supim", "timeout_s", -1),
        ("datasets.supim.check", "grads", {"steps": 0}),
        ("datasets.supim.check", "grads", "perhaps"),
        ("datasets.supim", "schedule", "30 6 * * 1"),
        ("datasets.supim", "schedule", "*/5 * * * *"),
        ("datasets.supim", "schedule", "60 6 * * *"),
        ("datasets.supim", "schedule", "30 24 * * *"),
        ("datasets.supim", "schedule", "30 6 * * *\n"),
        ("datasets.supim", "schedule", "3\u0660 6 * * *"),
        ("datasets.supim", "source", {"root": "data"}),
        ("datasets.supim", "source", {"root": "/data", "folder": "/{year}/{day}"}),
    ],
)
def test_a_wrong_value_is_reported_by_its_path(tmp_path: Path, section: str, key: str, value: object) -> None:
    """It is never guessed or adjusted."""
    message = refused(tmp_path, changed(section, **{key: value}))
    assert message.splitlines()[0].endswith("has 1 wrong key:")
    assert f"  {section}.{key}" in message


@pytest.mark.parametrize("schedule", ["30 6 * * *", "0 0 * * *", "59 23 * * *", "05 06 * * *"])
def test_days_have_a_schedule_of_once_a_day(tmp_path: Path, schedule: str) -> None:
    """A run's day depends on its date, so there is one run per date."""
    content = changed("datasets.supim", schedule=schedule, source={"root": "/data"})
    assert load(tmp_path, content).supim.schedule == schedule


def test_a_single_address_needs_no_list(tmp_path: Path) -> None:
    """Most sites have one."""
    assert load(tmp_path, changed("mail", to="a@b.example")).mail.to == ["a@b.example"]


def test_an_environment_variable_names_another_site_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable counts as unset."""
    other = tmp_path / "site.yaml"
    load(tmp_path, changed("institute", name="Elsewhere"))
    try:
        for variable, name in ((str(other), "Elsewhere"), ("", SHIPPED["institute"]["name"])):
            monkeypatch.setenv("INPE_BACKUP_SITE", variable)
            site_file.current.cache_clear()
            assert site_file.current().institute.name == name
    finally:
        site_file.current.cache_clear()
