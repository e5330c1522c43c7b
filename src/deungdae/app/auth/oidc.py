"""Logging in where the house keeps its accounts: OpenID Connect, authorization code with PKCE.

Source: OpenID Connect Core 1.0, sections 3.1 and 5.3; RFC 7636 (PKCE); RFC 9700 (best practice).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import jwt
import msgspec

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, DoorError, Refused, Unreachable

from .options import OidcOptions, is_loopback
from .roles import Role

CALLBACK = "/api/v1/session/oidc/callback"
PATIENCE = 10.0  # s for each answer of the provider
LARGEST = 1024 * 1024  # bytes of an answer
LAPSE = 600.0  # s that somebody may take at the provider
WAITING = 200  # people who are at the provider; a newer one drives out the oldest
KNOWN = 3600.0  # s that what the provider says of itself is believed
LEEWAY = 60  # s that its clock may be away from ours
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")


class Person(msgspec.Struct, frozen=True):
    """Who the provider says it is. subject: unique there."""

    subject: str
    name: str
    role: Role


class Started(msgspec.Struct, frozen=True):
    """Where to send a browser, and the state that it must bring back."""

    url: str
    state: str


class _Waiting(msgspec.Struct, frozen=True):
    nonce: str
    verifier: str
    to: str
    until: float


class _Metadata(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Provider:
    """A provider of accounts. url: where browsers reach us."""

    def __init__(self, options: OidcOptions, url: str, clock: Clock) -> None:
        self._options = options
        self._redirect = (options.url or url).rstrip("/") + CALLBACK
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}
        self._metadata: tuple[_Metadata, float] | None = None
        self._keys: dict[str, jwt.PyJWK] = {}

    async def start(self, to: str) -> Started:
        """Begin a login. to: the path of ours to come back to. Raises DoorError."""
        metadata = await self._known()
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        verifier = secrets.token_urlsafe(48)
        while len(self._waiting) >= WAITING:
            del self._waiting[next(iter(self._waiting))]
        until = self._clock.monotonic() + LAPSE
        self._waiting[state] = _Waiting(nonce, verifier, _ours(to), until)
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._options.client_id,
            "redirect_uri": self._redirect,
            "scope": self._options.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        mark = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        return Started(f"{metadata.authorization_endpoint}{mark}{urlencode(query)}", state)

    async def finish(self, state: str, brought: str, code: str) -> tuple[Person, str]:
        """Return who came back, and the path they go to.

        brought: the state that the browser kept. Raises Refused where the person may not come in,
        or did not start here; DoorError where the provider did not do its part.
        """
        waiting = self._waiting.pop(state, None)
        same = hmac.compare_digest(
            state.encode("utf-8", "replace"), brought.encode("utf-8", "replace")
        )
        if waiting is None or not same or waiting.until < self._clock.monotonic():
            raise Refused("oidc-state", "this login did not begin in this browser, or long ago")
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            tokens = await self._exchange(client, code, waiting.verifier)
            claims = await self._verified(client, str(tokens.get("id_token", "")), waiting.nonce)
            claims = await self._complete(client, claims, str(tokens.get("access_token", "")))
        return self._person(claims), waiting.to

    async def _known(self) -> _Metadata:
        """Return what the provider says of itself."""
        if self._metadata is not None and self._metadata[1] > self._clock.monotonic():
            return self._metadata[0]
        url = self._options.issuer.rstrip("/") + "/.well-known/openid-configuration"
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            answer = await self._ask(client, "GET", url)
        try:
            found = msgspec.convert(answer, _Metadata)
        except msgspec.ValidationError as error:
            raise BadReply(f"{url} is no description of a provider: {error}") from error
        if found.issuer.rstrip("/") != self._options.issuer.rstrip("/"):
            raise BadReply(
                f"{url} is of the issuer {found.issuer!r}",
                remedy="write it so as [app.oidc] issuer, if you trust it",
            )
        for each in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
            place = urlsplit(each)
            if place.scheme != "https" and not is_loopback(place.hostname or ""):
                raise BadReply(f"{each} of the provider is not https")
        self._metadata = found, self._clock.monotonic() + KNOWN
        return found

    async def _exchange(
        self, client: httpx.AsyncClient, code: str, verifier: str
    ) -> dict[str, Any]:
        """Return the tokens for a code."""
        metadata = await self._known()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": verifier,
        }
        headers = {}
        secret = await self._clock.call(_secret, self._options)
        if not secret:
            form["client_id"] = self._options.client_id
        elif "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            pair = f"{quote(self._options.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": self._options.client_id, "client_secret": secret}
        return await self._ask(client, "POST", metadata.token_endpoint, data=form, headers=headers)

    async def _verified(self, client: httpx.AsyncClient, token: str, nonce: str) -> dict[str, Any]:
        """Return the claims of an id token that is the provider's, for us and for this login."""
        metadata = await self._known()
        try:
            head = jwt.get_unverified_header(token)
            if head.get("alg") not in ALGORITHMS:
                raise BadReply(f"the provider signs with {head.get('alg')!r}: use RS256 or ES256")
            claims: dict[str, Any] = jwt.decode(
                token,
                await self._key(client, metadata.jwks_uri, str(head.get("kid", ""))),
                algorithms=[head["alg"]],
                audience=self._options.client_id,
                issuer=metadata.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.PyJWTError as error:
            raise BadReply(f"the provider's id token does not hold: {error}") from error
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise BadReply("the provider's id token is of another login")
        if claims.get("azp", self._options.client_id) != self._options.client_id:
            raise BadReply("the provider's id token is for somebody else")
        return claims

    async def _key(self, client: httpx.AsyncClient, url: str, kid: str) -> jwt.PyJWK:
        """Return the provider's key of a name; one that is not known is asked for."""
        if kid not in self._keys:
            answer = await self._ask(client, "GET", url)
            keys = jwt.PyJWKSet.from_dict(answer).keys
            self._keys = {str(key.key_id or ""): key for key in keys if key.public_key_use != "enc"}
        if kid in self._keys:
            return self._keys[kid]
        if not kid and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        raise BadReply(f"the provider has no key {kid!r}, with which it signed")

    async def _complete(
        self, client: httpx.AsyncClient, claims: dict[str, Any], access: str
    ) -> dict[str, Any]:
        """Return the claims with those that the provider tells only when asked."""
        metadata = await self._known()
        known = _at(claims, self._options.claim) is not None and "name" in claims
        if known or not metadata.userinfo_endpoint or not access:
            return claims
        headers = {"Authorization": f"Bearer {access}"}
        more = await self._ask(client, "GET", metadata.userinfo_endpoint, headers=headers)
        if more.get("sub") != claims["sub"]:
            raise BadReply("the provider tells of somebody else than who logged in")
        return more | claims

    def _person(self, claims: Mapping[str, Any]) -> Person:
        subject = str(claims["sub"])
        named = (claims.get(key) for key in ("name", "preferred_username", "email"))
        name = next((each for each in named if isinstance(each, str) and each.strip()), subject)
        told = _at(claims, self._options.claim)
        words = [told] if isinstance(told, str) else told if isinstance(told, list) else []
        roles = [Role.of(self._options.roles[w]) for w in words if str(w) in self._options.roles]
        if not roles and self._options.otherwise == "refuse":
            raise Refused(
                "oidc-role", f"{subject} has no role here by the claim {self._options.claim}"
            )
        shown = "".join(each for each in name.strip() if each.isprintable())[:60]
        return Person(subject, shown or subject, max(roles, default=Role.VIEWER))

    async def _ask(
        self, client: httpx.AsyncClient, method: str, url: str, **how: Any
    ) -> dict[str, Any]:
        """Return the JSON object that the provider answers. Raises DoorError."""
        try:
            answer = await client.request(method, url, **how)
        except httpx.HTTPError as error:
            raise Unreachable(
                f"the provider of accounts does not answer at {url}: {error!r}",
                remedy="log in with a password, or ask whoever looks after the provider",
            ) from error
        try:
            told = answer.json() if len(answer.content) <= LARGEST else None
        except ValueError:
            told = None
        if answer.status_code != 200 or not isinstance(told, dict):
            said = told.get("error", "") if isinstance(told, dict) else ""
            raise BadReply(f"the provider of accounts answers {answer.status_code} {said} at {url}")
        return told


def _at(claims: Mapping[str, Any], name: str) -> object:
    """Return a claim, or what stands deeper, as `realm_access.roles`; None where there is none."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _ours(to: str) -> str:
    """Return a path of ours, and nobody else's."""
    return to if to.startswith("/") and to[1:2] not in ("/", "\\") and to.isprintable() else "/"


def _secret(options: OidcOptions) -> str:
    """Return the client's secret, or '' where it has none. Raises DoorError."""
    try:
        if options.client_secret_env:
            return os.environ[options.client_secret_env]
        if options.client_secret_file:
            text = Path(options.client_secret_file).read_text(encoding="utf-8")
            return text.partition("\n")[0].strip()
    except (KeyError, OSError, ValueError) as error:
        raise DoorError(
            f"the client's secret cannot be read: {error}",
            remedy="set client_secret_env or client_secret_file of [app.oidc]",
        ) from error
    return ""
