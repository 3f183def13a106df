"""Boot tests on the host: a VM boots from its image in a temporary domain, is watched, and is cleaned up."""
