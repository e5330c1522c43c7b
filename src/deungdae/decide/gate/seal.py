"""Carries a Permit to another process: sealed, so that nobody but the gate can have made it.

A message is the HMAC-SHA256 of (purpose, body) followed by the body. Pure functions: the key and
the time are given.
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from deungdae.core.errors import Refused
from deungdae.core.types import SECOND, Permit

TRANSIT = 5 * SECOND  # ns that a permit may take from the gate to its machine, clocks included
KEY = 32  # bytes that a key has at least
_PERMIT = b"deungdae permit 1"


def seal(permit: Permit, key: bytes) -> bytes:
    """Return the permit as bytes that `unseal` takes with the same key."""
    return stamp(msgspec.msgpack.encode(permit), key, _PERMIT)


def unseal(data: bytes, key: bytes, now: int) -> Permit:
    """Return the permit that was sealed. Raises Refused by `seal`, `expired` or `clock`.

    A permit is taken for TRANSIT after it was granted and never after its command expired: what
    was held up on the way is not written late. Whoever writes must see that it is written once.
    """
    try:
        permit = msgspec.msgpack.decode(open_stamped(data, key, _PERMIT), type=Permit)
    except msgspec.MsgspecError as error:
        raise Refused("seal", f"what was sealed is no permit: {error}") from error
    command, age = permit.command, now - permit.granted
    if command.expires <= now:
        raise Refused("expired", f"the command expired {(now - command.expires) / SECOND:g} s ago")
    if age > TRANSIT:
        raise Refused(
            "expired",
            f"granted {age / SECOND:g} s ago, {TRANSIT / SECOND:g} s are allowed on the way;"
            " do the clocks agree?",
        )
    if age < -TRANSIT:
        raise Refused("clock", f"granted {-age / SECOND:g} s in the future: set the clocks")
    return permit


def stamp(body: bytes, key: bytes, purpose: bytes) -> bytes:
    """Return the body behind its seal. purpose: what it is, so that none passes for another."""
    return _digest(body, key, purpose) + body


def open_stamped(data: bytes, key: bytes, purpose: bytes) -> bytes:
    """Return the body of what was stamped for this purpose. Raises Refused by `seal`."""
    size = hashlib.sha256().digest_size
    body = data[size:]
    if not hmac.compare_digest(data[:size], _digest(body, key, purpose)):
        raise Refused("seal", "it does not carry our seal: do both sides have the same key file?")
    return body


def _digest(body: bytes, key: bytes, purpose: bytes) -> bytes:
    if len(key) < KEY:
        raise ValueError(f"a key of {len(key)} bytes is too short: {KEY} at least")
    return hmac.digest(key, purpose + b"\0" + body, "sha256")
