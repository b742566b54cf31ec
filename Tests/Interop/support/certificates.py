"""A small authority: certificates for both ends of DICOM TLS, good, expired, and of somebody else."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _write(path, *blocks):
    path.write_bytes(b"".join(blocks))
    path.chmod(0o600)
    return path


def _private(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def _public(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


class Authority:
    """Signs certificates; `ca` is the file that those who trust it are given."""

    def __init__(self, folder, name="Test authority"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign(name, self._key.public_key(), is_ca=True)
        self.ca = _write(folder / "ca.pem", _public(self._certificate))

    def _sign(self, name, key, is_ca=False, host="127.0.0.1", expired=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        until = now - datetime.timedelta(days=1) if expired else now + datetime.timedelta(days=30)
        builder = (
            x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name(self.name)).public_key(key)
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(until).add_extension(x509.BasicConstraints(is_ca, None), True))
        if host and not is_ca:
            names = [x509.IPAddress(ipaddress.ip_address(host))] if host[0].isdigit() else [x509.DNSName(host)]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(self._key, hashes.SHA256())

    def pair(self, stem, host="127.0.0.1", expired=False):
        """(certificate, key) as files in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(stem, key.public_key(), host=host, expired=expired)
        return (_write(self.folder / f"{stem}.pem", _public(certificate)),
                _write(self.folder / f"{stem}.key", _private(key)))

    def rsa_key(self, stem):
        """A key of another kind than those of `pair`."""
        return _write(self.folder / f"{stem}.key", _private(rsa.generate_private_key(65537, 2048)))
