"""The definitions of the stand-in KVM host's VMs and the settings of its QEMU, as templates."""

QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""
DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>{mib}</memory>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>{boot}
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
{disks}{channel}
    <serial type='file'><source path={console}/></serial>
  </devices>
</domain>
"""
LINUX = """
    <kernel>{kernel}</kernel>
    <initrd>{initramfs}</initrd>
    <cmdline>console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable no_timer_check{options}</cmdline>"""
CHANNEL = "\n    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
DISK = """\
    <disk type='file' device='disk'>
      <driver name='qemu' type='{format}'/><source file={path}/><target dev='{target}' bus='virtio'/>
    </disk>"""
