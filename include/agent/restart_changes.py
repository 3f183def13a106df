"""What a restart would change in a running VM: its running definition compared with its persistent one.

A device that was attached to the running VM alone is lost when it stops; what was edited in the persistent
definition alone takes effect when it starts. What libvirt fills in at each start isn't a change: all that the
definition states must be so in the running VM, but what only the running VM states counts only if it is a
device, or a setting of the kind that people change in a running VM.

Which data disks there are is compared by ``domain.py``: one that differs prevents every backup.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence

from include.agent.started_memory import as_started

_LISTED = 8  # changes in one message
_REMOVABLE = ("cdrom", "floppy")
_PARTS = (
    *("memory", "maxMemory", "memoryBacking", "vcpu", "iothreads", "os", "features"),
    *("launchSecurity", "on_poweroff"),
)
_COMMAND_LINE = "{http://libvirt.org/schemas/domain/qemu/1.0}commandline"
# Set by libvirt at a start, or by the guest; or not of the guest at all.
_LIBVIRTS = {"alias", "address", "backingStore", "mirror", "reservations", "seclabel", "stats", "firmware"}
_LIBVIRTS_ATTRIBUTES = {
    ("console", "tty"), ("mac", "type"), ("source", "index"), ("source", "startupPolicy"), ("target", "tray"),
    ("target", "state"), ("vcpu", "cpuset"), ("hyperv", "mode"), ("memory", "unit"), ("maxMemory", "unit"),
}  # fmt: skip
# Counts even if only the running VM has it.
_PEOPLES = {
    "bandwidth", "cmdline", "filterref", "initrd", "iothreads", "iotune", "kernel", "link", "loader",
    "maxMemory", "source", _COMMAND_LINE,
}  # fmt: skip
_PEOPLES_ATTRIBUTES = {("vcpu", "current")}
_OF_NETWORK = {"source", "target", "virtualport", "vlan", "bandwidth", "mtu"}  # a virtual network has its own
_PORTS = {"port", "tlsPort", "websocket"}
_SECRET = {"passwd", "cookie", "arg", "env"}
_NAMED_BY = {
    "disk": ("target", "dev"),
    "interface": ("mac", "address"),
    "channel": ("target", "name"),
    "filesystem": ("target", "dir"),
    "serial": ("target", "port"),
    "parallel": ("target", "port"),
}


def restart_changes(definition: str, running: str) -> list[str]:
    """Return what a restart would change, as phrases that name the device; empty if nobody changed anything.

    Args:
        definition: the XML of the persistent definition.
        running: the XML of the running domain.
    """
    defined, live = as_started(definition), ET.fromstring(running)  # noqa: S314 - libvirt's own output
    changes = [change for tag in (*_PARTS, _COMMAND_LINE) for change in _of_part(tag, defined, live)]
    return [*changes, *_of_cpu(defined, live), *_of_devices(_devices(defined), _devices(live))]


def refusal(changes: Sequence[str]) -> str:
    """Return why a VM isn't stopped that a restart would change, and what to do, as sentences."""
    more = f"; and {len(changes) - _LISTED} more" if len(changes) > _LISTED else ""
    return (
        f"A restart would change it: {'; '.join(changes[:_LISTED])}{more}. Put what shall stay into its "
        "definition (virsh attach-device --config, virsh edit, virsh define), or restart it yourself. Or set "
        "its method to live, or its restart_changes to allow, in the site file."
    )


def _of_part(tag: str, defined: ET.Element, live: ET.Element) -> Iterator[str]:
    name = _short(tag)
    stated, found = defined.find(tag), live.find(tag)
    if stated is not None and found is not None:
        for difference in _differences(stated, found):
            yield f"{name}{difference}"
    elif stated is not None:
        yield f"{name} is only in the definition"
    elif found is not None and tag in _PEOPLES:
        yield f"{name} is only in the running VM"


def _of_cpu(defined: ET.Element, live: ET.Element) -> Iterator[str]:
    """Compare what libvirt doesn't expand: modes of the host's own CPU, model, topology and NUMA cells."""
    cpus = [domain.find("cpu") for domain in (defined, live)]
    stated, found = (ET.Element("cpu") if cpu is None else cpu for cpu in cpus)
    modes = [_own_mode(stated), _own_mode(found)]
    if modes[0] != modes[1]:
        yield f"cpu mode{_values(*modes)}"
    models = [stated.findtext("model"), found.findtext("model")]
    if stated.get("match") != "minimum" and None not in models and models[0] != models[1]:
        yield f"cpu model{_values(*models)}"
    yield from (f"cpu {change}" for tag in ("topology", "numa") for change in _of_part(tag, stated, found))
    for feature in stated.findall("feature"):
        if _contradicts(stated, feature, found):
            yield f"cpu feature {feature.get('name')} is another in the running VM"


def _own_mode(cpu: ET.Element) -> str:
    mode = cpu.get("mode", "custom")
    return "custom" if mode == "host-model" else mode  # it runs as a custom one


def _contradicts(cpu: ET.Element, feature: ET.Element, live: ET.Element) -> bool:
    policies = {one.get("name"): one.get("policy") for one in live.findall("feature")}
    policy, found = feature.get("policy", "require"), policies.get(feature.get("name"))
    if policy in ("disable", "forbid"):
        return found in ("require", "force")
    # Without a check, libvirt starts the VM without what the host doesn't have.
    checked = cpu.get("check") in ("partial", "full")
    return policy == "require" and checked and found in ("disable", "forbid")


def _of_devices(defined: dict[str, ET.Element], live: dict[str, ET.Element]) -> Iterator[str]:
    for name in [*defined, *(name for name in live if name not in defined)]:
        stated, found = defined.get(name), live.get(name)
        if stated is not None and found is not None:
            for difference in _differences(*_comparable(stated, found)):
                yield f"{name}{difference}"
        elif not _is_compared_elsewhere(stated if found is None else found):
            where = "definition" if found is None else "running VM"
            yield f"{name} is only in the {where}"


def _devices(domain: ET.Element) -> dict[str, ET.Element]:
    """Return a domain's devices by names that are the same in both definitions."""
    devices: dict[str, ET.Element] = {}
    for device in domain.findall("./devices/*"):
        name, number = _label(device), 1
        while (numbered := f"{name} {number}" if number > 1 else name) in devices:
            number += 1
        devices[numbered] = device
    return devices


def _label(device: ET.Element) -> str:
    tag = device.tag
    if tag == "controller":
        return f"controller {device.get('type')} {device.get('index')}"
    if tag == "hostdev":
        return f"hostdev {_hosts_device(device)}"
    if tag in _NAMED_BY:
        child, attribute = _NAMED_BY[tag]
        found = device.find(child)
        kind = device.get("device", "disk") if tag == "disk" else tag
        return f"{kind} {found.get(attribute, '') if found is not None else ''}".strip()
    model = device.find("model")
    words = [device.get(key) for key in ("type", "model", "bus", "name")]
    words += [model.get("type")] if model is not None else []
    return " ".join([tag, *(word for word in words if word)])


def _hosts_device(hostdev: ET.Element) -> str:
    """Return a text that identifies a device of the host: a USB device's IDs, else its address."""
    source = hostdev.find("source")
    parts = [] if source is None else [source.find(tag) for tag in ("vendor", "product")]
    identified = [part.get("id", "") for part in parts if part is not None]
    if identified or source is None:
        return ":".join(identified)
    address = source.find("address[@slot]")
    if address is not None:
        domain, bus, slot, function = (
            address.get(key, "")[2:] for key in ("domain", "bus", "slot", "function")
        )
        return f"{domain}:{bus}:{slot}.{function}"  # as lspci writes it
    return " ".join(value for part in source for _, value in sorted(part.attrib.items()))


def _is_compared_elsewhere(device: ET.Element | None) -> bool:
    if device is None or device.tag in ("controller", "audio"):  # libvirt adds them as it needs them
        return True
    return device.tag == "disk" and not _is_removable(device)


def _comparable(defined: ET.Element, live: ET.Element) -> tuple[ET.Element, ET.Element]:
    """Return two forms of a device without what libvirt chooses for this kind of device."""
    tag = defined.tag
    if tag == "controller":
        return _only(defined, "model"), _only(live, "model")
    left_out: set[str] = set()
    attributes: set[str] = set()
    if tag == "disk":
        left_out, attributes = _of_disk(defined, live)
    elif tag == "interface":
        left_out = {"target"}
        if defined.get("type") == "network":
            return _of_network(defined, live), _of_network(live, live)
    elif tag in ("channel", "hostdev") or defined.get("type") == "pty":
        left_out = {"source"}  # of a hostdev, it's its name
    elif tag == "vsock" and defined.find("cid[@auto='yes']") is not None:
        left_out = {"cid"}
    elif tag == "graphics":
        left_out = {"listen"} if defined.find("listen[@type='network']") is not None else set()
        chosen = {key for key in _PORTS if defined.get(key) == "-1"}
        attributes = {"listen"} | (_PORTS if defined.get("autoport") == "yes" else chosen)
    return _without(defined, left_out, attributes), _without(live, left_out, attributes)


def _of_network(interface: ET.Element, live: ET.Element) -> ET.Element:
    """Return an interface in a virtual network, which gives the running one settings of its own."""
    copy = _without(interface, _OF_NETWORK, {"type"})
    if live.find("source[@network]") is not None:
        sources = interface.findall("source")
        copy.extend(ET.Element("source", {"network": source.get("network", "")}) for source in sources)
    return copy


def _of_disk(defined: ET.Element, live: ET.Element) -> tuple[set[str], set[str]]:
    if not _is_removable(defined):
        return {"source"}, {"type"}
    if live.find("source") is None:  # the guest has ejected it, or an optional medium wasn't there
        return {"source", "driver"}, {"type"}
    return ({"driver"} if defined.find("source") is None else set()), {"type"}


def _is_removable(disk: ET.Element) -> bool:
    return disk.get("device") in _REMOVABLE


def _only(element: ET.Element, attribute: str) -> ET.Element:
    return ET.Element(element.tag, {attribute: element.get(attribute, "")})


def _without(element: ET.Element, tags: set[str], attributes: set[str]) -> ET.Element:
    kept = {key: value for key, value in element.attrib.items() if key not in attributes}
    copy = ET.Element(element.tag, kept)
    copy.text = element.text
    copy.extend(child for child in element if child.tag not in tags and not _is_default(child))
    return copy


def _is_default(setting: ET.Element) -> bool:
    """Return whether an element says what is so without it."""
    if setting.tag == "link":
        return setting.get("state") == "up"
    return setting.tag == "iotune" and not list(_limits(setting))


def _limits(iotune: ET.Element) -> Iterator[ET.Element]:
    return (limit for limit in iotune if limit.tag != "group_name" and limit.text != "0")


def _differences(defined: ET.Element, live: ET.Element, path: str = "") -> Iterator[str]:
    """Yield where the running form isn't as stated, each as the end of a phrase that begins with a name."""
    yield from _of_attributes(defined, live, path)
    texts = [_text(element) for element in (defined, live)]
    if texts[0] and texts[0] != texts[1]:
        yield f"{path}{_values(*texts, secret=_short(defined.tag) in _SECRET)}"
    stated, found = _children(defined), _children(live)
    for key in [*stated, *(key for key in found if key not in stated)]:
        inner = f"{path} {_short(key[0])}"
        if key in stated and key in found:
            yield from _differences(stated[key], found[key], inner)
        elif key in stated:
            yield f"{inner} is only in the definition"
        elif _is_peoples(key[0], defined):
            yield f"{inner} is only in the running VM"


def _is_peoples(tag: str, parent: ET.Element) -> bool:
    if tag == "loader":
        return not parent.get("firmware")  # with it, libvirt chooses the file
    return tag in _PEOPLES or parent.tag == "iotune"


def _text(element: ET.Element) -> str:
    return " ".join(part for part in ((element.text or "").strip(), element.get("unit", "")) if part)


def _of_attributes(defined: ET.Element, live: ET.Element, path: str) -> Iterator[str]:
    for key in {**defined.attrib, **live.attrib}:
        name = (_short(defined.tag), key)
        stated, found = defined.get(key), live.get(key)
        if name in _LIBVIRTS_ATTRIBUTES or stated == found:
            continue
        if stated is not None or name in _PEOPLES_ATTRIBUTES:
            yield f"{path} {key}{_values(stated, found, secret=bool({*name} & _SECRET))}"


def _children(element: ET.Element) -> dict[tuple[str, int], ET.Element]:
    """Return the children that aren't libvirt's own, each by its tag and its number among its like."""
    children = list(_limits(element)) if element.tag == "iotune" else list(element)
    found: dict[tuple[str, int], ET.Element] = {}
    for child in children:
        if child.tag not in _LIBVIRTS:
            found[child.tag, sum(tag == child.tag for tag, _ in found)] = child
    return found


def _short(tag: str) -> str:
    return tag.rsplit("}", maxsplit=1)[-1]


def _values(defined: str | None, live: str | None, *, secret: bool = False) -> str:
    if secret:
        return " differs"
    stated, found = (re.sub(r"\s+", " ", value) if value else "not set" for value in (defined, live))
    return f" is {found} in the running VM, {stated} in its definition"
