"""What may stay of a definition that another host wrote: what leads nowhere on this one (``allow_list.py``).

An image may come from a host that somebody else controls by now. So nothing stays that names a file, device,
socket, port or account of the host. Disks, the emulator, firmware and networks are checked one by one, by the
caller (``restore/definition.py``, ``boot_test/definition.py``).
"""

from __future__ import annotations

from include.agent.allow_list import ANYTHING

_FEATURES = (
    "acpi", "apic", "pae", "hap", "viridian", "privnet", "hyperv", "kvm", "pvspinlock", "pmu", "vmport",
    "gic", "smm", "ioapic", "vmcoreinfo", "htm", "nested-hv", "cfpc", "sbbc", "ibs", "ccf-assist",
)  # fmt: skip
_CPU = ("model", "vendor", "topology", "feature", "cache", "maxphysaddr")
_SYSTEM = ("bios", "system", "baseBoard", "chassis", "oemStrings")
_CONTROLLERS = ("ide", "fdc", "scsi", "sata", "usb", "ccid", "virtio-serial", "pci", "isa")
_INPUTS = ("mouse", "tablet", "keyboard")
CHARACTER_DEVICES = ("serial", "console", "parallel", "channel")
_VIEWERS = (
    "channel", "image", "jpeg", "zlib", "playback", "streaming", "clipboard", "mouse", "filetransfer",
)  # fmt: skip
_VIRTIO = "iommu ats packed page_per_vq"
_ACTIONS = "text():destroy|restart|preserve"
_CHARACTERS = "type:pty|null|vc|spicevmc|spiceport|qemu-vdagent"

_BOARD = {
    "": "type:kvm|qemu|hvf",
    **dict.fromkeys(("name", "uuid", "title", "description", "genid", "metadata"), ""),
    "metadata/libosinfo:libosinfo": ANYTHING,
    "memory": "unit dumpCore",
    "currentMemory": "unit",
    "maxMemory": "unit slots",
    **dict.fromkeys(("memoryBacking", "memoryBacking/nosharepages", "memoryBacking/discard"), ""),
    "memoryBacking/hugepages": "",
    "memoryBacking/hugepages/page": "size unit nodeset",
    "memoryBacking/source": "type:memfd|anonymous",
    "memoryBacking/access": "mode",
    "memoryBacking/allocation": "mode threads",
    "vcpu": "placement current",
    "vcpus": ANYTHING,
    "iothreads": "",
    "iothreadids": ANYTHING,
    "cputune": "",
    **{f"cputune/{tag}": "" for tag in ("shares", "period", "quota", "global_period", "global_quota")},
    "memtune": "",
    **{f"memtune/{tag}": "unit" for tag in ("hard_limit", "soft_limit", "swap_hard_limit")},
    "resource": "",
    "resource/partition": "text():/machine",
    "sysinfo": "type:smbios",
    **{f"sysinfo/{tag}": ANYTHING for tag in _SYSTEM},
    "os": "firmware",
    "os/type": "arch machine text():hvm",
    "os/loader": "readonly secure type stateless format",
    "os/nvram": "template templateFormat format",
    "os/firmware": "",
    "os/firmware/feature": "enabled name",
    "os/boot": "dev",
    "os/bootmenu": "enable timeout",
    "os/bios": "useserial rebootTimeout",
    "os/smbios": "mode:emulate|sysinfo",
    "features": "",
    **{f"features/{tag}": ANYTHING for tag in _FEATURES},
    "cpu": "mode match check migratable",
    **{f"cpu/{tag}": ANYTHING for tag in (*_CPU, "numa")},
    "clock": "offset timezone basis adjustment start",
    "clock/timer": ANYTHING,
    "pm": "",
    "pm/suspend-to-mem": "enabled",
    "pm/suspend-to-disk": "enabled",
    "on_poweroff": _ACTIONS,
    "on_reboot": _ACTIONS,
    "on_crash": _ACTIONS,
    "seclabel": "type:dynamic model relabel",
    "devices": "",
    "devices/emulator": "",
}

_DEVICES = {
    "disk": "type device model snapshot",
    "disk/driver": "name:qemu type cache error_policy rerror_policy io ioeventfd event_idx copy_on_read "
    f"discard discard_no_unref iothread detect_zeroes queues queue_size {_VIRTIO}",
    "disk/target": "dev bus rotation_rate removable tray",
    **{f"disk/{tag}": ANYTHING for tag in ("iotune", "geometry", "blockio")},
    **dict.fromkeys(("disk/readonly", "disk/serial", "disk/wwn", "disk/vendor", "disk/product"), ""),
    "controller": f"type:{'|'.join(_CONTROLLERS)} index model ports vectors",
    "controller/driver": f"queues iothread cmd_per_lun max_sectors ioeventfd {_VIRTIO}",
    "controller/model": "name",
    "controller/pcihole64": "unit",
    "controller/master": ANYTHING,
    "controller/target": ANYTHING,
    "interface": "type:network|bridge|direct|user trustGuestRxFilters",
    "interface/mac": "address type check",
    "interface/source": "network portgroup bridge dev mode:vepa|bridge|private",
    "interface/model": "type",
    "interface/driver": "name txmode ioeventfd event_idx queues rx_queue_size tx_queue_size rss "
    f"rss_hash_report {_VIRTIO}",
    "interface/driver/host": ANYTHING,
    "interface/driver/guest": ANYTHING,
    "interface/link": "state",
    "interface/mtu": "size",
    "interface/port": "isolated",
    "interface/rom": "bar enabled",
    **{
        f"interface/{tag}": ANYTHING
        for tag in ("virtualport", "vlan", "bandwidth", "filterref", "coalesce", "teaming")
    },
    "input": f"type:{'|'.join(_INPUTS)} bus model",
    "hub": "type",
    "graphics": "type:vnc|spice port=-1 tlsPort=-1 autoport passwd passwdValidTo connected keymap "
    "sharePolicy defaultMode listen=127.0.0.1|::1",
    "graphics/listen": "type:address|none address=127.0.0.1|::1",
    **{f"graphics/{tag}": ANYTHING for tag in _VIEWERS},
    "video": "",
    "video/model": "type vram vram64 ram vgamem heads primary blob edid",
    "video/model/acceleration": "accel2d accel3d",
    "video/model/resolution": "x y",
    "video/driver": f"name=qemu {_VIRTIO}",
    "sound": "model",
    "sound/codec": "type",
    "sound/audio": "id",
    "audio": "id type:none|spice timerPeriod",
    **{
        f"{tag}{below}": words
        for tag in CHARACTER_DEVICES
        for below, words in {
            "": _CHARACTERS + ("|unix" if tag == "channel" else ""),
            "/target": "type name port chassis",
            "/target/model": "name",
            "/source": "channel",
            "/clipboard": "copypaste",
            "/mouse": "mode",
        }.items()
    },
    "tpm": "model",
    "tpm/backend": "type:emulator version persistent_state debug",
    "tpm/backend/encryption": "secret",
    "tpm/backend/active_pcr_banks": ANYTHING,
    "rng": "model",
    "rng/driver": _VIRTIO,
    "rng/rate": "bytes period",
    "rng/backend": "model:random|builtin text():/dev/urandom|/dev/random|/dev/hwrng",
    "watchdog": "model action=reset|shutdown|poweroff|pause|none|inject-nmi",
    "panic": "model",
    "iommu": "model",
    "iommu/driver": ANYTHING,
    "memballoon": "model autodeflate freePageReporting",
    "memballoon/stats": "period",
    "memballoon/driver": _VIRTIO,
    "memory": "model:dimm|virtio-mem access discard",
    "memory/source": "",
    "memory/source/pagesize": "unit",
    "memory/target": ANYTHING,
    "vsock": "model",
    "vsock/cid": "auto address",
    "vsock/driver": _VIRTIO,
    "crypto": "model type",
    "crypto/backend": "model:builtin queues",
    "redirdev": "bus type:spicevmc",
    "redirfilter": ANYTHING,
    "smartcard": "mode:passthrough type:spicevmc",
}
_OF_ALL_DEVICES = {"address": ANYTHING, "alias": "name", "boot": "order loadparm", "acpi": "index"}

ATTRIBUTES = {
    **_BOARD,
    **{f"devices/{path}": words for path, words in _DEVICES.items()},
    **{
        f"devices/{device}/{tag}": words
        for device in _DEVICES
        if "/" not in device
        for tag, words in _OF_ALL_DEVICES.items()
    },
}
"""The attributes that stay, by element."""

NEEDED = {
    "devices/interface": "source",
    "devices/tpm": "backend",
    "devices/rng": "backend",
    "devices/crypto": "backend",
}
"""The child without which an element means nothing."""
