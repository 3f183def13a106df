"""A host that isn't there: nothing listens at its port."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from include.remote.ssh import Endpoint

_KEY = Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
)
NOWHERE = Endpoint("127.0.0.1", 1, "nobody", "ssh-ed25519 AAAA", _KEY.decode("ascii"))
