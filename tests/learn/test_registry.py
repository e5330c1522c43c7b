"""Cards of models: their signatures, and what stands after what was done."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deungdae.learn.drift import Window
from deungdae.learn.registry import Card, Move, Standing, Tampered, check, digest, signed, standing

CONTENT = b"a model"
KEY = Ed25519PrivateKey.generate()
CARD = Card(
    name="eye", content=digest(CONTENT), method="marks", dataset="bricks@1", images=30, groups=30,
    bad=5, held_out=10, trained=1, seed=1, seconds=60.0, accept=0.2, reject=0.7, escape=0.05,
    false_reject=0.02, limits=("few bad parts",),
)  # fmt: skip


def test_what_was_signed_is_what_is_read() -> None:
    card = signed(CARD, KEY)
    check(card, CONTENT, KEY.public_key())
    again = msgspec.json.decode(msgspec.json.encode(card), type=Card)
    check(again, CONTENT, KEY.public_key())
    assert card.version == digest(CONTENT)[7:19]


def test_a_card_from_before_there_were_windows_stays_valid_and_a_window_is_signed() -> None:
    told = msgspec.to_builtins(CARD)
    for later in ("window", "held_bad", "weights", "promised"):
        del told[later]
    was = KEY.sign(msgspec.json.encode(told, order="sorted")).hex()
    check(msgspec.structs.replace(CARD, signature=was), CONTENT, KEY.public_key())
    card = signed(msgspec.structs.replace(CARD, window=Window.of({"score": range(30)})), KEY)
    check(card, CONTENT, KEY.public_key())
    with pytest.raises(Tampered, match="card of model eye"):
        check(msgspec.structs.replace(card, window=None), CONTENT, KEY.public_key())
    counted = signed(msgspec.structs.replace(CARD, held_bad=3), KEY)
    with pytest.raises(Tampered, match="card of model eye"):
        check(msgspec.structs.replace(counted, held_bad=30), CONTENT, KEY.public_key())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reject": 0.9}, "card of model eye"),
        ({"limits": ()}, "card of model eye"),
        ({"signature": "00" * 64}, "card of model eye"),
        ({"signature": "no hexadecimal"}, "card of model eye"),
        ({"content": digest(b"other")}, "changed after it was trained"),
    ],
)
def test_what_was_changed_is_refused(change: dict[str, object], said: str) -> None:
    card = msgspec.structs.replace(signed(CARD, KEY), **change)
    with pytest.raises(Tampered, match=said):
        check(card, CONTENT, KEY.public_key())


def test_another_file_and_another_factorys_key_are_refused() -> None:
    card = signed(CARD, KEY)
    with pytest.raises(Tampered, match="changed after it was trained"):
        check(card, CONTENT + b"!", KEY.public_key())
    with pytest.raises(Tampered, match="another factory"):
        check(card, CONTENT, Ed25519PrivateKey.generate().public_key())


def moves(*steps: str) -> list[Move]:
    """Return moves from words like `decide a`; `out` takes the model out of use."""
    found = []
    for n, step in enumerate(steps):
        stage, _, version = step.partition(" ")
        stage = "" if stage == "out" else stage
        found.append(Move(version=version, stage=stage, person="kim", time=n))  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(
    ("steps", "stands"),
    [
        ((), Standing()),
        (("shadow a",), Standing(shadow="a")),
        (("shadow a", "advise a"), Standing(acting="a", stage="advise")),
        (
            ("shadow a", "advise a", "decide a", "shadow b"),
            Standing(acting="a", stage="decide", shadow="b"),
        ),
        (
            ("advise a", "shadow b", "advise b"),
            Standing(acting="b", stage="advise", before="a"),
        ),
        (("advise a", "decide a"), Standing(acting="a", stage="decide")),
        (("advise a", "advise b", "advise a"), Standing(acting="a", stage="advise", before="b")),
        (("advise a", "shadow a"), Standing(shadow="a", before="a")),
        (("advise a", "out"), Standing(before="a")),
    ],
)
def test_what_stands_after_what_was_done(steps: tuple[str, ...], stands: Standing) -> None:
    assert standing(moves(*steps)) == stands
