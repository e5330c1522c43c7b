"""The `[app]` table."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from deungdae.app.auth import OidcOptions, WebOptions
from deungdae.core import strict

TLS = {"tls_certificate": "server.pem", "tls_key": "server.key"}


def test_beyond_this_machine_there_must_be_tls() -> None:
    value, problems = strict.decode(WebOptions, {"host": "0.0.0.0"}, ("app",))
    assert value is None
    assert "needs TLS" in problems[0].problem
    assert WebOptions(host="0.0.0.0", port=8443, **TLS).url == "https://127.0.0.1:8443"
    assert WebOptions(host="::1").url == "http://[::1]:8080"


def test_half_of_tls_is_refused() -> None:
    with pytest.raises(ValueError, match="both"):
        WebOptions(tls_key="server.key")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"port": 0}, WebOptions)


def test_beyond_this_machine_nobody_looks_without_a_login() -> None:
    with pytest.raises(ValueError, match="role viewer"):
        WebOptions(host="0.0.0.0", open=True, **TLS)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"issuer": "http://login.example"}, "https"),
        ({"client_secret_env": "A", "client_secret_file": "b"}, "not both"),
        ({"scope": "profile"}, "openid"),
        ({"url": "plant.example"}, "must begin"),
        ({"roles": {"staff": "boss"}}, "boss"),
        ({"client_secret": "in the clear"}, "client_secret"),
        ({"otherwise": "administrator"}, "administrator"),
    ],
)
def test_a_wrong_provider_of_accounts_is_told(table: dict[str, Any], words: str) -> None:
    given = {"issuer": "https://login.example", "client_id": "deungdae"} | table
    value, problems = strict.decode(WebOptions, {"oidc": given}, ("app",))
    assert value is None
    assert words in " ".join(f"{each.key} {each.value} {each.problem}" for each in problems)


def test_a_provider_of_accounts() -> None:
    given = {
        "issuer": "https://login.example",
        "client_id": "deungdae",
        "roles": {"shift-leaders": "operator"},
    }
    value, problems = strict.decode(WebOptions, {"oidc": given}, ("app",))
    assert problems == []
    assert value is not None
    assert isinstance(value.oidc, OidcOptions)
    assert value.oidc.otherwise == "refuse"
