"""Images by their hash: kept whole, checked when read, dropped oldest first."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.errors import StoreError
from deungdae.wires.blobs import Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def aged(blobs: Blobs, content: bytes, moment: int) -> str:
    ref = blobs.put(content)
    os.utime(blobs.path(ref), ns=(moment, moment))
    return ref


def test_what_was_put_is_found_by_its_hash(blobs: Blobs) -> None:
    ref = blobs.put(b"abc")
    # SHA-256 of "abc": FIPS 180-2, appendix B.1
    assert ref == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert blobs.get(ref) == b"abc"
    assert blobs.path(ref) == blobs.folder / "ba" / ref[9:]
    assert blobs.put(b"abc") == ref
    assert blobs.size() == 3
    assert [path.name for path in blobs.path(ref).parent.iterdir()] == [ref[9:]]


def test_what_is_not_there_is_said(blobs: Blobs) -> None:
    with pytest.raises(LookupError, match="is not in"):
        blobs.get("sha256:" + "0" * 64)
    assert blobs.size() == 0
    assert blobs.verify() == []
    assert blobs.tidy(0).files == 0


@given(st.text(max_size=80))
def test_only_a_reference_names_a_file(text: str) -> None:
    with pytest.raises(ValueError, match="is no reference"):
        Blobs(Path("nowhere")).path(text)


def test_no_reference_leads_out_of_the_folder(blobs: Blobs) -> None:
    for text in ("sha256:../../etc/passwd", "sha256:" + "g" * 64, "sha256:" + "a" * 64 + "\n"):
        with pytest.raises(ValueError, match="is no reference"):
            blobs.get(text)


def test_damage_is_found_set_aside_and_healed(blobs: Blobs) -> None:
    whole, broken = blobs.put(b"whole"), blobs.put(b"broken")
    blobs.path(broken).write_bytes(b"brokem")
    assert blobs.verify() == [broken]
    with pytest.raises(LookupError):
        blobs.get(broken)
    assert blobs.verify() == []
    assert blobs.get(whole) == b"whole"
    assert blobs.put(b"broken") == broken
    assert blobs.get(broken) == b"broken"


def test_reading_damage_raises_and_never_gives_it(blobs: Blobs) -> None:
    ref = blobs.put(b"picture")
    blobs.path(ref).write_bytes(b"pictur")
    with pytest.raises(StoreError, match="damaged"):
        blobs.get(ref)
    with pytest.raises(LookupError):
        blobs.get(ref)


def test_the_oldest_go_first_and_are_counted(blobs: Blobs) -> None:
    refs = [aged(blobs, bytes([number]) * 100, 1000 + number) for number in range(10)]
    gone = blobs.tidy(500)
    assert gone == (6, 600, 1000, 1005)  # down to 95 % of the limit
    assert blobs.size() == 400
    for ref in refs[:6]:
        with pytest.raises(LookupError):
            blobs.get(ref)
    assert blobs.get(refs[6]) == bytes([6]) * 100
    assert blobs.tidy(500).files == 0


def test_putting_again_makes_it_the_newest(blobs: Blobs) -> None:
    first, second = aged(blobs, b"a" * 100, 1000), aged(blobs, b"b" * 100, 2000)
    blobs.put(b"a" * 100)
    assert blobs.tidy(150).files == 1
    assert blobs.get(first) == b"a" * 100
    with pytest.raises(LookupError):
        blobs.get(second)


def test_what_a_killed_program_left_goes_with_the_oldest(blobs: Blobs) -> None:
    ref = aged(blobs, b"x" * 10, 5000)
    left = blobs.path(ref).parent / ".begun-1"
    left.write_bytes(b"y" * 90)
    os.utime(left, ns=(1000, 1000))
    assert blobs.size() == 100
    assert blobs.verify() == []
    assert blobs.tidy(50) == (0, 0, 0, 0)
    assert blobs.size() == 10
    assert not left.exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file, where a folder should be")
    with pytest.raises(StoreError, match="cannot be written"):
        Blobs(tmp_path / "blobs").put(b"abc")


def test_it_is_durable_before_it_is_named(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """File first, then its name, then the folder that holds the name."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(handle: int) -> None:
        done.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    def watched_replace(a: str, b: Path) -> None:
        done.append("named")
        replace(a, b)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    digest = hashlib.sha256(b"abc").hexdigest()
    blobs.put(b"abc")
    above, file, named, folder, root = done
    assert above == str(blobs.folder.parent)
    assert ".begun-" in file
    assert named == "named"
    assert folder == str(blobs.folder / digest[:2])
    assert root == str(blobs.folder)
    done.clear()
    blobs.put(b"abc")  # which another program may have written a moment ago
    assert done == [folder, root]
