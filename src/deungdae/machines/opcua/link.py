"""One session with a server: opened, secured, kept alive, and its errors put into words.

The library's own Client does channel, session and cryptography; its watchdog (which cuts a busy
link after one second), its publish loop and its subscriptions are not used.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from asyncua import Client, ua
from asyncua.crypto import security_policies
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, DoorError, Unreachable

from . import trust
from .options import Options

_MODES = {
    ua.MessageSecurityMode.Sign: "sign",
    ua.MessageSecurityMode.SignAndEncrypt: "encrypt",
}
SESSION_LIFETIME = 120.0  # s that the server keeps our session while we are silent
_LIMITS = (11705, 11710, 11714, 12165)  # node ids of Limits' fields, OPC 10000-5 §6.3.11
_REMEDIES = {
    "BadIdentityTokenRejected": "check user and password, and that the server knows the user",
    "BadIdentityTokenInvalid": "the server takes another kind of user: check its login settings",
    "BadUserAccessDenied": "check user and password, and the user's rights at the server",
    "BadCertificateUntrusted": "let the server trust our certificate: {own}",
    "BadSecurityChecksFailed": "let the server trust our certificate: {own} (look for it in the "
    "server's list of rejected certificates)",
    "BadCertificateTimeInvalid": "set the clocks right, or renew the certificate",
    "BadTooManySessions": "close other clients, or raise the server's limit of sessions",
    "BadNotWritable": "make the node writable at the server, or take access rw from the signal",
    "BadTypeMismatch": "the node takes another type of value: check its address",
    "BadOutOfRange": "the server takes no such value: check the signal's low and high",
    "BadNodeIdUnknown": "check the address: browse the server for it",
}


class Limits(NamedTuple):
    """How many nodes the server takes in one request."""

    read: int
    browse: int
    monitor: int
    history: int


class Link:
    """An open session. `request` is the one way out; everything else is made of it."""

    def __init__(self, client: Client, options: Options, log: logging.Logger) -> None:
        self.client = client
        self.limits = Limits(*[options.chunk] * 4)
        self.namespaces: list[str] = []
        self._options = options
        self._log = log
        self._renewal = asyncio.create_task(self._renew())

    async def request(self, request: Any, *, patient: bool = False) -> bytes:
        """Return the body of the response. patient: without time-out, for publish requests."""
        protocol = self.client.uaclient.protocol
        if protocol is None:
            raise Unreachable(f"the link to {self._options.url} is lost")
        return bytes(await protocol.send_request(request, 0 if patient else None))

    async def learn(self) -> None:
        """Read the server's namespaces and operation limits."""
        nodes = [ua.NodeId(2255), *(ua.NodeId(number) for number in _LIMITS)]
        namespaces, *limits = await self.read([(node, ua.AttributeIds.Value) for node in nodes])
        self.namespaces = list(namespaces.Value.Value or []) if namespaces.Value else []
        found = (limit.Value.Value if limit.Value else None for limit in limits)
        chunk = self._options.chunk
        self.limits = Limits(*(min(chunk, limit or chunk) for limit in found))

    async def read(self, wanted: Sequence[tuple[ua.NodeId, ua.AttributeIds]]) -> list[ua.DataValue]:
        """Return the attributes, in order, as few requests as the server allows."""
        found: list[ua.DataValue] = []
        for chunk in chunks(wanted, self.limits.read):
            parameters = ua.ReadParameters()
            parameters.TimestampsToReturn = ua.TimestampsToReturn.Neither
            parameters.NodesToRead = [ua.ReadValueId(node, attribute) for node, attribute in chunk]
            found += await self.client.uaclient.session.read(parameters)
        if len(found) != len(wanted):
            raise BadReply(f"the server read {len(found)} of {len(wanted)} attributes")
        return found

    async def close(self) -> None:
        """Close the session and its subscriptions at the server, then the link."""
        session = self.client.uaclient.session
        try:
            async with asyncio.timeout(self._options.timeout):
                await session.close_session(True)
                await self.client.close_secure_channel()
        except (OSError, TimeoutError, ua.UaError) as error:
            self._log.debug("close url=%s problem=%r", self._options.url, error)
        await self.drop()

    async def drop(self) -> None:
        """Cut the link and leave the session to the server, so that it can be taken up again."""
        self._renewal.cancel()
        with suppress(asyncio.CancelledError):
            await self._renewal
        self.client.disconnect_socket()

    async def _renew(self) -> None:
        """Renew the channel's keys after three quarters of their life (OPC 10000-4 §5.6.2)."""
        try:
            while True:
                await asyncio.sleep(self.client.secure_channel_timeout / 1000 * 0.75)
                await self.client.open_secure_channel(renew=True)
                self.client.uaclient.revolve_security_token()
        except (OSError, TimeoutError, ua.UaError) as error:
            self._log.warning("channel renewal failed url=%s error=%r", self._options.url, error)
            self.client.disconnect_socket()


async def open_link(name: str, options: Options, clock: Clock, log: logging.Logger) -> Link:
    """Return an open session. Raises DoorError."""
    client = Client(options.url, timeout=options.timeout)
    client.name = client.description = f"Deungdae {name}"
    client.application_uri = f"urn:{socket.gethostname()}:deungdae"
    client.session_timeout = int(SESSION_LIFETIME * 1000)
    with in_words(options, "connecting"):
        password = await _secure(name, client, options, clock)
        await _open(client, options, password)
    link = Link(client, options, log)
    try:
        with in_words(options, "reading the server's limits"):
            await link.learn()
    except BaseException:
        await link.drop()
        raise
    return link


@contextmanager
def in_words(options: Options, doing: str) -> Iterator[None]:
    """Turn what the library and the network raise into DoorErrors that name url and remedy."""
    try:
        yield
    except DoorError:
        raise
    except TimeoutError as error:
        raise Unreachable(
            f"{options.url} did not answer within {options.timeout} s while {doing}",
            remedy="check that the server runs; raise `timeout` if it is slow",
        ) from error
    except OSError as error:
        raise Unreachable(
            f"{options.url} cannot be reached while {doing}: {error or type(error).__name__}",
            remedy="check host, port, network and that the server runs",
        ) from error
    except ua.UaStatusCodeError as error:
        raise BadReply(f"{options.url} refused {doing}: {said(error.code)}",
                       remedy=remedy(error.code, options)) from error  # fmt: skip
    except (ua.UaError, InvalidSignature, ValueError) as error:
        raise BadReply(
            f"{options.url} did not answer as OPC UA demands while {doing}: {error!r}",
            remedy="check that an OPC UA server listens there (opc.tcp)",
        ) from error


def said(code: int) -> str:
    """Return a StatusCode in its own words, e.g. `BadNodeIdUnknown (0x80340000)`."""
    return f"{ua.StatusCode(code & 0xFFFF0000).name} ({code:#010x})"


def remedy(code: int, options: Options) -> str:
    """Return what a person can do about a StatusCode."""
    text = _REMEDIES.get(ua.StatusCode(code & 0xFFFF0000).name, "see the server's log")
    return text.format(own=Path(options.certificates) / "own/certificate.der")


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield the items in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def _open(client: Client, options: Options, password: str | None) -> None:
    await client.connect_socket()
    try:
        await client.send_hello()
        await _open_channel(client, options)
        await client.create_session()
        _protect_password(client, options)
        await client.activate_session(options.user or None, password, client.user_certificate)
    except BaseException:
        client.disconnect_socket()
        raise


async def _open_channel(client: Client, options: Options) -> None:
    try:
        await client.open_secure_channel()
    except ConnectionError as error:
        if options.security == "None":
            raise
        # many servers say nothing when they refuse a certificate
        raise BadReply(
            f"{options.url} closed the link while the secure channel was opened",
            remedy=remedy(ua.StatusCodes.BadSecurityChecksFailed, options),
        ) from error


def _protect_password(client: Client, options: Options) -> None:
    """Raise DoorError before a password would travel in the clear."""
    policy = client.server_policy(ua.UserTokenType.UserName).SecurityPolicyUri
    if options.user and options.security == "None" and policy in ("", _policy("None").URI):
        raise DoorError(
            f"{options.url} would get the password in the clear",
            remedy="set `security` to a policy that the server offers",
        )


async def _secure(name: str, client: Client, options: Options, clock: Clock) -> str | None:
    """Choose the endpoint, check its certificate, set policy and keys; return the password."""
    if options.security == "None" and not options.user and not options.user_certificate:
        return None
    endpoint = await _endpoint(client, options)
    folder = Path(options.certificates)
    own = await clock.call(trust.own, folder, clock.now())
    client.application_uri = own.uri
    if endpoint.ServerCertificate:
        await clock.call(_believe, folder, name, endpoint, clock.now(), options.trust == "first")
        if options.security != "None":
            client.security_policy = _policy(options.security)(
                _certificate(endpoint), own.certificate, own.key, _mode(options)
            )
            client.uaclient.set_security(client.security_policy)
    if options.user_certificate:
        client.user_certificate, client.user_private_key = await clock.call(_user_keys, options)
    return await clock.call(_password, options) if options.user else None


def _believe(
    folder: Path, name: str, endpoint: ua.EndpointDescription, now: int, first: bool
) -> None:
    uri = str(endpoint.Server.ApplicationUri)
    trust.check(folder, name, endpoint.ServerCertificate, uri, now, first=first)


def _certificate(endpoint: ua.EndpointDescription) -> x509.Certificate:
    return x509.load_der_x509_certificate(trust.leading(endpoint.ServerCertificate))


async def _endpoint(client: Client, options: Options) -> ua.EndpointDescription:
    offered = await client.connect_and_get_server_endpoints()
    policy, mode = _policy(options.security).URI, _mode(options)
    for endpoint in offered:
        if endpoint.SecurityPolicyUri == policy and endpoint.SecurityMode == mode:
            return endpoint
    found = sorted({_named(endpoint) for endpoint in offered})
    raise DoorError(
        f"{options.url} does not offer security {options.security} with mode {options.mode}; "
        f"it offers {', '.join(found) or 'nothing'}",
        remedy="set `security` and `mode` to one of these",
    )


def _named(endpoint: ua.EndpointDescription) -> str:
    """Return an endpoint's security as our options name it."""
    policy = str(endpoint.SecurityPolicyUri).rpartition("#")[2].replace("_", "")
    return f"{policy} {_MODES.get(endpoint.SecurityMode, '')}".strip()


def _mode(options: Options) -> ua.MessageSecurityMode:
    if options.security == "None":
        return ua.MessageSecurityMode.None_
    encrypt = options.mode == "encrypt"
    return ua.MessageSecurityMode.SignAndEncrypt if encrypt else ua.MessageSecurityMode.Sign


def _policy(name: str) -> Any:
    return getattr(security_policies, f"SecurityPolicy{name}")


def _password(options: Options) -> str:
    if options.password_env:
        if (found := os.environ.get(options.password_env)) is None:
            raise DoorError(
                f"the environment has no variable {options.password_env} with the password of "
                f"user {options.user}",
                remedy="set the variable before the factory starts",
            )
        return found
    try:
        return Path(options.password_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise DoorError(
            f"the password of user {options.user} cannot be read: {error}",
            remedy="set password_env or password_file, and give us the right to read it",
        ) from error


def _user_keys(options: Options) -> tuple[x509.Certificate, Any]:
    try:
        certificate = trust.load(Path(options.user_certificate))
        key = serialization.load_pem_private_key(Path(options.user_key).read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise DoorError(
            f"the user's certificate or key cannot be read: {error}",
            remedy="set user_certificate (.der or .pem) and user_key (.pem, without pass phrase)",
        ) from error
    return certificate, key
