"""Models on disk: what is kept, what is refused, and which one judges."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from deungdae.app.models import CARD, FILE, KEY, MOVES, Models
from deungdae.core.errors import Refused, StoreError
from deungdae.learn.compare import Contest, compare
from deungdae.learn.registry import Card, Move, Tampered


def card(compared: Contest | None = None) -> Card:
    return Card(
        name="eye", content="", method="marks", dataset="bricks@1", images=30, groups=30, bad=5,
        held_out=10, trained=1, seed=1, seconds=60.0, accept=0.2, reject=0.7, escape=0.05,
        false_reject=0.02, compared=compared,
    )  # fmt: skip


def contest(against: str, *, saved: bool) -> Contest:
    bad = np.ones(20, bool)
    right, wrong = np.full(20, 2, np.int8), np.zeros(20, np.int8)
    new, old = (right, wrong) if saved else (wrong, right)
    groups = [str(n) for n in range(20)]
    return compare(new, old, bad, groups, against=against, random=np.random.default_rng(0))


def move(version: str, stage: str) -> Move:
    return Move(version=version, stage=stage, person="kim", time=1)  # type: ignore[arg-type]


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(tmp_path / "models")


@pytest.fixture
def acting(models: Models) -> str:
    """Return a version that advises."""
    version = models.add(card(), b"first").version
    models.move("eye", move(version, "shadow"))
    models.move("eye", move(version, "advise"))
    return version


def test_what_is_kept_is_found_again(models: Models) -> None:
    kept = models.add(card(), b"first")
    assert models.names() == ["eye"]
    assert Models(models.folder).read("eye", kept.version) == (kept, b"first")
    assert models.add(card(), b"first") == kept  # once is enough
    assert [each.version for each in models.cards("eye")] == [kept.version]
    assert (models.folder / KEY).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("file", [FILE, CARD])
def test_a_model_that_was_tampered_with_is_refused(
    models: Models, acting: str, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert [each.version for each in models.appointed("eye")] == [acting]
    path = models.folder / "eye" / acting / file
    path.write_bytes(path.read_bytes().replace(b"first", b"worse").replace(b"0.7", b"0.9"))
    with pytest.raises(Tampered):
        models.read("eye", acting)
    assert Models(models.folder).appointed("eye") == ()  # what judges then is the next best
    assert "state=refused" in caplog.text


def test_a_card_that_is_no_card_is_refused(models: Models, acting: str) -> None:
    (models.folder / "eye" / acting / CARD).write_bytes(b"{")
    with pytest.raises(Tampered, match="is no card"):
        models.read("eye", acting)


def test_a_version_that_is_not_there(models: Models, acting: str) -> None:
    for version in ("0" * 12, "../../etc", ""):
        with pytest.raises(LookupError):
            models.read("eye", version)
    with pytest.raises(ValueError, match="no name of a model"):
        models.cards("../eye")
    with pytest.raises(LookupError):
        models.move("eye", move("0" * 12, "advise"))


def test_nobody_decides_at_once(models: Models) -> None:
    version = models.add(card(), b"first").version
    with pytest.raises(Refused, match="never advised"):
        models.move("eye", move(version, "decide"))
    models.move("eye", move(version, "advise"))
    assert models.move("eye", move(version, "decide")).stage == "decide"


def test_who_was_not_measured_against_what_judges_stays_in_the_shadow(
    models: Models, acting: str
) -> None:
    version = models.add(card(), b"second").version
    models.move("eye", move(version, "shadow"))
    with pytest.raises(Refused, match=f"not measured against {acting}"):
        models.move("eye", move(version, "advise"))
    stages = {each.version: each.stage for each in models.appointed("eye")}
    assert stages == {acting: "advise", version: "shadow"}


def test_who_is_worse_than_what_judges_stays_in_the_shadow(models: Models, acting: str) -> None:
    version = models.add(card(contest(acting, saved=False)), b"second").version
    with pytest.raises(Refused, match="costs more"):
        models.move("eye", move(version, "advise"))


def test_who_is_better_judges_and_can_be_gone_back_from(models: Models, acting: str) -> None:
    version = models.add(card(contest(acting, saved=True)), b"second").version
    stands = models.move("eye", move(version, "advise"))
    assert (stands.acting, stands.before) == (version, acting)
    assert [each.content for each in models.appointed("eye")] == [b"second"]
    assert models.move("eye", move(acting, "advise")).acting == acting
    assert models.move("eye", move("", "")).acting == ""
    assert models.appointed("eye") == ()


def test_a_damaged_list_of_moves_lets_nobody_judge(
    models: Models, acting: str, caplog: pytest.LogCaptureFixture
) -> None:
    (models.folder / "eye" / MOVES).write_bytes(b"no move\n")
    with pytest.raises(StoreError):
        models.standing("eye")
    assert models.appointed("eye") == ()
    assert "state=unread" in caplog.text


def test_of_what_is_not_there_nobody_judges(models: Models) -> None:
    assert (models.names(), models.cards("eye"), models.appointed("eye")) == ([], [], ())


def test_a_card_survives_being_written(models: Models) -> None:
    kept = models.add(card(contest("a", saved=True)), b"x")
    text = (models.folder / "eye" / kept.version / CARD).read_bytes()
    assert msgspec.json.decode(text, type=Card) == kept
