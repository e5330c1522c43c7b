"""Who may do what over HTTP."""

from __future__ import annotations

import msgspec
import pytest

from deungdae.app.auth import FAILURES, WINDOW, Doorkeeper, Role, Verdict, WebOptions
from deungdae.core import strict
from deungdae.core.clock import RealClock

HERE = {"host": "127.0.0.1:8080"}
TLS = {"tls_certificate": "server.pem", "tls_key": "server.key"}


class StandingClock(RealClock):
    """A clock that a test moves on."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def keeper(clock: StandingClock) -> Doorkeeper:
    return Doorkeeper("secret", WebOptions(), clock)


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


def test_on_loopback_anybody_may_look(keeper: Doorkeeper) -> None:
    assert keeper.judge(Role.VIEWER, "GET", HERE, "") is Verdict.ALLOWED


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMINISTRATOR])
def test_the_rest_needs_the_token(keeper: Doorkeeper, role: Role) -> None:
    assert keeper.judge(role, "GET", HERE, "") is Verdict.UNKNOWN
    wrong = HERE | {"authorization": "Bearer secreT"}
    assert keeper.judge(role, "GET", wrong, "") is Verdict.UNKNOWN
    assert (
        keeper.judge(role, "GET", HERE | {"authorization": "Bearer ünïcode"}, "") is Verdict.UNKNOWN
    )
    assert (
        keeper.judge(role, "GET", HERE | {"authorization": "Bearer secret"}, "") is Verdict.ALLOWED
    )


def test_beyond_loopback_looking_needs_the_token_too(clock: StandingClock) -> None:
    keeper = Doorkeeper("secret", WebOptions(host="0.0.0.0", **TLS), clock)
    there = {"host": "plant.example:8080"}
    assert keeper.judge(Role.VIEWER, "GET", there, "") is Verdict.UNKNOWN
    assert (
        keeper.judge(Role.VIEWER, "GET", there | {"authorization": "Bearer secret"}, "").value
        == 200
    )


def test_a_link_works_once(keeper: Doorkeeper) -> None:
    link = keeper.link()
    assert link.startswith("http://127.0.0.1:8080/?key=")
    key = link.partition("=")[2]
    session = keeper.open(key)
    assert session is not None
    assert keeper.open(key) is None
    assert keeper.open("") is None
    assert keeper.judge(Role.OPERATOR, "GET", HERE, session) is Verdict.ALLOWED


def test_a_page_acts_only_with_our_header_and_from_our_own_site(keeper: Doorkeeper) -> None:
    session = keeper.open("secret") or ""
    ours = HERE | {"x-deungdae": "1", "origin": "http://127.0.0.1:8080"}
    assert keeper.judge(Role.ENGINEER, "POST", HERE, session) is Verdict.FORBIDDEN
    assert keeper.judge(Role.ENGINEER, "POST", ours, session) is Verdict.ALLOWED
    foreign = ours | {"origin": "http://evil.example"}
    assert keeper.judge(Role.ENGINEER, "POST", foreign, session) is Verdict.FORBIDDEN


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "", "[::", "127.0.0.1.nip.io"]
)
def test_a_foreign_name_that_points_here_is_refused(keeper: Doorkeeper, host: str) -> None:
    assert keeper.judge(Role.VIEWER, "GET", {"host": host}, "") is Verdict.FORBIDDEN


@pytest.mark.parametrize("host", ["localhost:8080", "[::1]:8080", "127.0.0.1"])
def test_our_own_names_are_accepted(keeper: Doorkeeper, host: str) -> None:
    assert keeper.judge(Role.VIEWER, "GET", {"host": host}, "") is Verdict.ALLOWED


def test_wrong_tokens_are_limited_by_address(keeper: Doorkeeper, clock: StandingClock) -> None:
    assert [keeper.failed("10.0.0.1") for _ in range(FAILURES + 1)] == [False] * FAILURES + [True]
    assert not keeper.failed("10.0.0.2")
    clock.seconds += WINDOW
    assert not keeper.failed("10.0.0.1")


def test_what_is_remembered_of_wrong_tokens_is_bounded(keeper: Doorkeeper) -> None:
    for n in range(2000):
        keeper.failed(f"address {n}")
    assert len(keeper._failures) <= 1000
