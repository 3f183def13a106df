"""An authority of the institute's own, and the certificates that it gives servers."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.site.ports import LOOPBACK

_DAY = timedelta(days=1)


class Authority:
    """An authority; ``ca_file`` is its certificate.

    Args:
        folder: has its certificate, and the servers' with their keys.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca_file = folder / "ca.pem"
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name.from_rfc4514_string("CN=Institute CA")
        its = _builder(self._name, self._name, self._key.public_key())
        may_sign = its.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        # What Python 3.13 wants of every certificate (VERIFY_X509_STRICT), as openssl(1) writes it.
        may_sign = may_sign.add_extension(_signs(), critical=True).add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
        )
        self._write(self.ca_file, may_sign.sign(self._key, hashes.SHA256()))

    def server_context(self, reached_at: str = LOOPBACK) -> ssl.SSLContext:
        """Return what a server that is reached at an address speaks TLS with."""
        key, certificate = ec.generate_private_key(ec.SECP256R1()), self._folder / "server.pem"
        its = _builder(x509.Name.from_rfc4514_string("CN=mail"), self._name, key.public_key())
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(reached_at))])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        named = its.add_extension(address, critical=False).add_extension(issuer, critical=False)
        signed = named.sign(self._key, hashes.SHA256())
        self._write(certificate, signed, key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        return context

    @staticmethod
    def _write(
        path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | None = None
    ) -> None:
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) if key else b""
        path.write_bytes(certificate.public_bytes(pem) + private)


def _signs() -> x509.KeyUsage:
    """Return the usage of a key that signs certificates, and nothing else."""
    others = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
    more = ("key_agreement", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**dict.fromkeys((*others, *more), False), key_cert_sign=True)


def _builder(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key)
    dated = builder.not_valid_before(now - _DAY).not_valid_after(now + _DAY)
    return dated.serial_number(x509.random_serial_number())
