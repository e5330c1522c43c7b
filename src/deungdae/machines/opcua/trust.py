"""Our own certificate, and whose certificate we believe: files that a person can move.

    <folder>/own/certificate.der    ours, made on first use; give it to the server's administrator
    <folder>/own/key.pem            our private key, readable by us alone
    <folder>/trusted/               server certificates, or certificates of authorities, .der .pem
    <folder>/rejected/              what we refused; moving a file to trusted/ is how to allow it
Source: OPC 10000-6 §6.2 (certificates), OPC 10000-12 §7.5 (trust lists).
"""

from __future__ import annotations

import os
import re
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deungdae.core.errors import DoorError
from deungdae.core.types import SECOND

_DAY = timedelta(days=1)
_VALID = timedelta(days=5 * 365)


class Own(NamedTuple):
    """Our application certificate, its private key, and the URI that it was made for."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    uri: str


def own(folder: Path, now: int) -> Own:
    """Return our certificate, made on first use (RSA 2048, five years). Raises DoorError."""
    certificate_file, key_file = folder / "own/certificate.der", folder / "own/key.pem"
    if not certificate_file.exists():
        _make(certificate_file, key_file, now)
    try:
        certificate = load(certificate_file)
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise DoorError(
            f"our own OPC UA certificate in {folder / 'own'} cannot be read: {error}",
            remedy="move both files away; new ones are made, and the server must trust them anew",
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise DoorError(
            f"{key_file} holds no RSA key, which the security policies demand",
            remedy="put an RSA key of 2048 to 4096 bits there, with its certificate",
        )
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    return Own(certificate, key, uris[0] if uris else "")


def check(folder: Path, machine: str, server: bytes, uri: str, now: int, *, first: bool) -> str:
    """Return why the server's certificate is believed. Raises DoorError if it is not.

    A certificate is believed when it lies in trusted/ itself, or is in date, made for `uri` and
    signed by an authority that lies there. first: believe the first one that this machine shows
    and keep it as trusted/<machine>.der; another one later is refused.
    """
    try:
        certificate = x509.load_der_x509_certificate(leading(server))
    except ValueError as error:
        raise DoorError(
            f"the server's certificate cannot be read: {error}",
            remedy="give the server a valid X.509 certificate",
        ) from error
    trusted = _all(folder / "trusted")
    print_ = certificate.fingerprint(hashes.SHA256())
    if any(known.fingerprint(hashes.SHA256()) == print_ for known in trusted):
        return "listed"
    authority = next((known for known in trusted if _issued(certificate, known)), None)
    if authority is not None:
        _in_order(certificate, uri, now)
        return f"issued by {authority.subject.rfc4514_string()}"
    pinned = folder / "trusted" / f"{machine}.der"
    if first and not pinned.exists():
        _save(pinned, certificate)
        return "first seen"
    raise _refusal(folder, certificate)


def leading(chain: bytes) -> bytes:
    """Return the first certificate of a chain in DER: servers may send all of it."""
    if len(chain) > 4 and chain[:2] == b"\x30\x82":
        return chain[: int.from_bytes(chain[2:4], "big") + 4]
    return chain


def _all(folder: Path) -> list[x509.Certificate]:
    files = sorted(folder.glob("*")) if folder.is_dir() else []
    return [load(file) for file in files if file.suffix in (".der", ".pem", ".crt", ".cer")]


def load(file: Path) -> x509.Certificate:
    content = file.read_bytes()
    try:
        if content.startswith(b"-----"):
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except ValueError as error:
        raise DoorError(
            f"{file} holds no certificate: {error}", remedy="replace or remove the file"
        ) from error


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
        certificate.verify_directly_issued_by(authority)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    return constraints.value.ca


def _in_order(certificate: x509.Certificate, uri: str, now: int) -> None:
    """Raise DoorError where a certificate of an authority is out of date or another server's."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=now / SECOND)
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not start <= moment <= end:
        raise DoorError(
            f"the server's certificate is valid from {start} to {end}, not now ({moment})",
            remedy="renew the certificate at the server, or set the clocks right",
        )
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        uris = []
    if uri not in uris:
        raise DoorError(
            f"the server calls itself {uri}, but its certificate was made for {uris}",
            remedy="renew the certificate at the server for its application URI",
        )


def _refusal(folder: Path, certificate: x509.Certificate) -> DoorError:
    subject = certificate.subject.rfc4514_string()
    print_ = certificate.fingerprint(hashes.SHA256()).hex()
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = re.sub(r"[^A-Za-z0-9]+", "-", str(common[0].value) if common else "server").strip("-")
    file = folder / "rejected" / f"{name}-{print_[:12]}.der"
    _save(file, certificate)
    return DoorError(
        f"the server's certificate is not trusted: {subject}, SHA-256 {print_}",
        remedy=f"compare the SHA-256 with what the server shows; if it is the same, "
        f"move {file} to {folder / 'trusted'}",
    )


def _save(file: Path, certificate: x509.Certificate) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(certificate.public_bytes(serialization.Encoding.DER))


def _make(certificate_file: Path, key_file: Path, now: int) -> None:
    host = socket.gethostname()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Deungdae@{host}"[:64])])
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=now // SECOND) - _DAY
    alternative = [x509.UniformResourceIdentifier(f"urn:{host}:deungdae"), x509.DNSName(host)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _VALID)
    )
    for extension, critical in _extensions(alternative, key.public_key()):
        builder = builder.add_extension(extension, critical=critical)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    key_file.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(secret)
    _save(certificate_file, builder.sign(key, hashes.SHA256()))


def _extensions(
    alternative: list[x509.GeneralName], public: rsa.RSAPublicKey
) -> list[tuple[x509.ExtensionType, bool]]:
    """Return what OPC 10000-6 table 42 demands of an application certificate."""
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,  # self-signed: it signs itself
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    use = [ExtendedKeyUsageOID.CLIENT_AUTH]
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    return [
        (x509.SubjectAlternativeName(alternative), False),
        (x509.BasicConstraints(ca=False, path_length=None), False),
        (usage, False),
        (x509.ExtendedKeyUsage(use), False),
        (identifier, False),
        (issuer, False),
    ]
