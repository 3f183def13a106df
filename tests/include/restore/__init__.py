"""Days and machines that are brought back: a real vault, real folders and hosts, real sshd and libvirt."""
