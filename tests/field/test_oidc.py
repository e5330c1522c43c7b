"""Logging in at an OpenID provider that others wrote and had certified: oidc-provider."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import msgspec
import pytest

from deungdae.app.auth import OidcOptions, Role
from deungdae.app.auth.oidc import CALLBACK, Provider
from deungdae.core.clock import RealClock
from deungdae.core.errors import BadReply, DoorError, Refused, Unreachable

PEERS = Path(__file__).parents[1] / "peers"
SECRET = "a secret: with/signs"
ROLES: Any = {"shift-leaders": "operator", "automation": "engineer"}


@pytest.fixture
async def options(
    free_port: Callable[[], int], running: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OidcOptions]:
    """Give the options of a provider that runs."""
    port, ours = free_port(), free_port()
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    url = f"http://127.0.0.1:{ours}"
    command = ("node", str(PEERS / "oidc-provider.mjs"), str(port), url + CALLBACK)
    async with running(*command, port=port, cwd=PEERS):
        yield OidcOptions(
            issuer=f"http://127.0.0.1:{port}",
            client_id="deungdae",
            client_secret_env="OIDC_SECRET",
            url=url,
            roles=ROLES,
        )


def provider_of(options: OidcOptions, **changes: Any) -> Provider:
    return Provider(msgspec.structs.replace(options, **changes), options.url, RealClock())


async def visit(url: str, name: str) -> httpx.URL:
    """Return where the provider sends a browser whose person logs in and agrees."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(url)
        for _ in range(12):
            if answer.is_redirect:
                to = httpx.URL(urljoin(str(answer.url), answer.headers["location"]))
                if to.path == CALLBACK:
                    return to
                answer = await browser.get(to)
                continue
            page = answer.text
            action = html.unescape(re.search(r'<form[^>]*action="([^"]+)"', page)[1])  # type: ignore[index]
            prompt = re.search(r'name="prompt" value="(\w+)"', page)[1]  # type: ignore[index]
            form = {"prompt": prompt, "login": name, "password": "any"}
            answer = await browser.post(urljoin(str(answer.url), action), data=form)
    raise AssertionError(f"the provider never came back: {answer.url} {answer.text[:500]}")


@pytest.mark.parametrize(
    ("name", "shown", "role"), [("kim", "김반장", Role.OPERATOR), ("lee", "Lee", Role.ENGINEER)]
)
async def test_a_person_comes_back_with_their_role(
    options: OidcOptions, name: str, shown: str, role: Role
) -> None:
    provider = provider_of(options)
    started = await provider.start("/machine/press-2?signal=press-2.force")
    back = await visit(started.url, name)
    person, to = await provider.finish(back.params["state"], started.state, back.params["code"])
    assert (person.subject, person.name, person.role) == (name, shown, role)
    assert to == "/machine/press-2?signal=press-2.force"
    with pytest.raises(Refused, match="did not begin"):  # a second time
        await provider.finish(back.params["state"], started.state, back.params["code"])


async def test_who_has_no_role_is_refused_or_looks(options: OidcOptions) -> None:
    for otherwise in ("refuse", "viewer"):
        provider = provider_of(options, otherwise=otherwise)
        started = await provider.start("//evil.example")
        back = await visit(started.url, "guest")
        finish = provider.finish(started.state, started.state, back.params["code"])
        if otherwise == "refuse":
            with pytest.raises(Refused) as refused:
                await finish
            assert refused.value.rule == "oidc-role"
        else:
            person, to = await finish
            assert (person.role, to) == (Role.VIEWER, "/")


async def test_what_does_not_hold_is_refused(options: OidcOptions) -> None:
    provider = provider_of(options)
    started = await provider.start("/")
    back = await visit(started.url, "kim")
    with pytest.raises(Refused):  # another browser's
        await provider.finish(started.state, "other", back.params["code"])
    started = await provider.start("/")
    with pytest.raises(BadReply, match="invalid_grant"):
        await provider.finish(started.state, started.state, "guess")
    # a code of one login in the place of another's: the provider compares the PKCE verifier
    one, two = await provider.start("/"), await provider.start("/")
    back = await visit(one.url, "kim")
    with pytest.raises(BadReply, match="invalid_grant"):
        await provider.finish(two.state, two.state, back.params["code"])


async def test_a_wrong_secret_and_a_silent_provider_are_told(
    options: OidcOptions, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    provider = provider_of(options)
    started = await provider.start("/")
    back = await visit(started.url, "kim")
    monkeypatch.setenv("OIDC_SECRET", "wrong")
    with pytest.raises(BadReply, match="invalid_client"):
        await provider.finish(started.state, started.state, back.params["code"])
    monkeypatch.delenv("OIDC_SECRET")
    started = await provider.start("/")
    with pytest.raises(DoorError, match="OIDC_SECRET"):
        await provider.finish(started.state, started.state, "code")
    silent = provider_of(options, issuer=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unreachable):
        await silent.start("/")
    elsewhere = provider_of(options, issuer=options.issuer.replace("127.0.0.1", "localhost"))
    with pytest.raises(BadReply, match="of the issuer"):
        await elsewhere.start("/")
