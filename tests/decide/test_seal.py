"""A sealed permit is taken when it is ours, fresh and whole; the rest is refused by its rule."""

from __future__ import annotations

import hashlib
import hmac

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.errors import Refused
from deungdae.core.types import SECOND, Command, Permit
from deungdae.decide.gate import RULES
from deungdae.decide.gate.seal import TRANSIT, open_stamped, seal, stamp, unseal

KEY = bytes(range(32))
NOW = 1_700_000_000 * SECOND


def permit(granted: int = NOW, life: int = 30 * SECOND) -> Permit:
    command = Command(
        id="c1",
        signal="kiln1.valve",
        value=42.5,
        origin="zone",
        because="drift",
        issued=granted,
        expires=granted + life,
    )
    return Permit(
        command=command, granted=granted, mode="auto", rules=("limits", "step"), previous=40.0
    )


def test_what_was_sealed_comes_out_as_it_was() -> None:
    assert unseal(seal(permit(), KEY), KEY, NOW + SECOND) == permit()


def test_the_seal_is_hmac_sha256_over_all_of_it() -> None:
    data = seal(permit(), KEY)
    body = b"deungdae permit 1\0" + msgspec.msgpack.encode(permit())
    assert data[:32] == hmac.new(KEY, body, hashlib.sha256).digest()


def refusal(data: bytes, key: bytes = KEY, now: int = NOW) -> str:
    with pytest.raises(Refused) as caught:
        unseal(data, key, now)
    assert caught.value.rule in RULES
    return caught.value.rule


def test_another_key_is_refused() -> None:
    assert refusal(seal(permit(), bytes(32))) == "seal"


@given(st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    sealed = bytearray(seal(permit(), KEY))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    assert refusal(bytes(sealed)) == "seal"


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    assert refusal(data) == "seal"


def test_what_is_sealed_for_another_purpose_is_no_permit() -> None:
    body = msgspec.msgpack.encode(permit())
    assert refusal(stamp(body, KEY, b"deungdae deed 1")) == "seal"
    with pytest.raises(Refused):
        open_stamped(seal(permit(), KEY), KEY, b"deungdae deed 1")


def test_a_body_that_is_no_permit_is_refused() -> None:
    assert refusal(stamp(b"\x01", KEY, b"deungdae permit 1")) == "seal"


@pytest.mark.parametrize(
    ("granted", "life", "rule"),
    [
        (NOW - 31 * SECOND, 30 * SECOND, "expired"),  # the command's own end
        (NOW - TRANSIT, TRANSIT, "expired"),  # to the nanosecond: at its end it is void
        (NOW - TRANSIT - 1, 3600 * SECOND, "expired"),  # held up on the way
        (NOW + TRANSIT + 1, 3600 * SECOND, "clock"),
    ],
)
def test_what_comes_late_or_from_the_future_is_refused(granted: int, life: int, rule: str) -> None:
    assert refusal(seal(permit(granted, life), KEY)) == rule


def test_clocks_may_differ_by_what_is_allowed_on_the_way() -> None:
    for granted in (NOW - TRANSIT, NOW + TRANSIT):
        assert unseal(seal(permit(granted), KEY), KEY, NOW)


def test_a_short_key_seals_nothing() -> None:
    with pytest.raises(ValueError, match="32"):
        seal(permit(), b"short")
