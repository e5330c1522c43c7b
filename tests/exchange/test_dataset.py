"""Packages of sets of data: written whole, refused where anything in them is not as it says."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deungdae.core.errors import BadReply, DoorError
from deungdae.exchange.dataset import About, Field, Package, named, pack, unpack

PICTURE = b"\x89PNG\r\n\x1a\n and more"
REF = f"sha256:{hashlib.sha256(PICTURE).hexdigest()}"
NAME = named("images", REF, PICTURE)
ABOUT = About(
    name="bricks",
    version="a" * 64,
    made="2026-11-02T00:00:00Z",
    licence="CC-BY-4.0",
    fields=(Field("label", "text", "what it is"), Field("image", "text")),
)


def written(target: Path, **about: str) -> Path:
    told = About(**{each: getattr(ABOUT, each) for each in ABOUT.__struct_fields__} | about)  # type: ignore[arg-type]
    pack(target, told, Package(b"{}", b"PAR1"), [(NAME, PICTURE), (NAME, PICTURE)])
    return target


def keep(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def taken(source: Path) -> tuple[Package, frozenset[str]]:
    return unpack(source, lambda package, refs: (package, refs), keep)


def zipped(target: Path, change: Callable[[dict[str, bytes]], None], sums: bool = True) -> Path:
    """Return a package whose files were changed; sums: with a list of sums that fits them."""
    good = written(target.with_suffix(".good.zip"))
    with zipfile.ZipFile(good) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    if sums:
        files["SHA256SUMS"] = "".join(
            f"{hashlib.sha256(content).hexdigest()}  {name}\n"
            for name, content in sorted(files.items())
            if name != "SHA256SUMS"
        ).encode()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target


@pytest.mark.parametrize("name", ["bricks", "bricks.zip"])
def test_gives_back_what_was_put(tmp_path: Path, name: str) -> None:
    package, refs = taken(written(tmp_path / name))
    assert (package.card, package.items, refs) == (b"{}", b"PAR1", {REF})


def test_the_same_set_is_the_same_file(tmp_path: Path) -> None:
    first, second = (written(tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second


def test_leaves_nothing_half_done_and_overwrites_nothing(tmp_path: Path) -> None:
    target = written(tmp_path / "bricks")
    with pytest.raises(DoorError, match="is there already"):
        written(target)

    def broken() -> object:
        yield NAME, PICTURE
        raise OSError(28, "No space left on device")

    with pytest.raises(DoorError, match="No space left"):
        pack(tmp_path / "other", ABOUT, Package(b"{}", b"PAR1"), broken())  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["bricks"]


def test_says_what_it_is_in_croissant(tmp_path: Path) -> None:
    told = json.loads((written(tmp_path / "bricks") / "croissant.json").read_bytes())
    assert told["conformsTo"][0] == "http://mlcommons.org/croissant/1.0"
    assert told["license"] == "https://spdx.org/licenses/CC-BY-4.0.html"
    assert told["distribution"][0]["sha256"] == hashlib.sha256(b"PAR1").hexdigest()
    assert [each["@id"] for each in told["recordSet"]] == ["items", "images"]


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    for number, name in enumerate(("card.json", "items.parquet", "croissant.json", NAME)):
        folder = written(tmp_path / f"bricks{number}")
        path = folder / name
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        with pytest.raises(BadReply, match=f"{name} was changed"):
            taken(folder)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/cron.d/x",
        "/etc/passwd",
        "images/../../x.png",
        "..\\x",
        "C:\\x",
        "images/" + "a" * 64 + ".exe",
        "notes.txt",
        "images/x/" + "a" * 64 + ".png",
    ],
)
def test_a_name_that_does_not_belong_is_refused(tmp_path: Path, name: str) -> None:
    source = zipped(tmp_path / "x.zip", lambda files: files.update({name: b"x"}))
    with pytest.raises(BadReply, match="does not belong into a package"):
        taken(source)


def test_links_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "bricks")
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/passwd")
    with pytest.raises(BadReply, match="no plain file"):
        taken(folder)
    source = tmp_path / "link.zip"
    with zipfile.ZipFile(source, "w") as archive:
        entry = zipfile.ZipInfo("card.json")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(BadReply, match="no plain file"):
        taken(source)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    source = tmp_path / "bomb.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("items.parquet", b"\0" * 30_000_000)
    assert source.stat().st_size < 100_000
    with pytest.raises(BadReply, match="would become 30,000,000 bytes"):
        taken(source)


def test_a_size_that_lies_is_refused(tmp_path: Path) -> None:
    """The header says 10 bytes; what comes out is more, and is not read to its end."""
    content = bytearray(written(tmp_path / "x.zip").read_bytes())
    place = content.index(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 10)
    source = tmp_path / "lie.zip"
    source.write_bytes(content)
    with pytest.raises(BadReply):
        taken(source)


def test_files_that_are_missing_or_not_listed_are_told(tmp_path: Path) -> None:
    source = zipped(tmp_path / "a.zip", lambda files: files.pop("card.json"))
    with pytest.raises(BadReply, match=r"card\.json is missing"):
        taken(source)
    other = "images/" + hashlib.sha256(b"x").hexdigest() + ".png"
    source = zipped(tmp_path / "b.zip", lambda files: files.update({other: b"x"}), sums=False)
    with pytest.raises(BadReply, match="not in both"):
        taken(source)
    source = zipped(
        tmp_path / "c.zip", lambda files: files.update({"SHA256SUMS": b"\xff"}), sums=False
    )
    with pytest.raises(BadReply, match="no list of sums"):
        taken(source)
    with pytest.raises(DoorError, match="is not there"):
        taken(tmp_path / "nothing.zip")


def test_a_picture_under_a_wrong_name_is_refused(tmp_path: Path) -> None:
    wrong = "images/" + "b" * 64 + ".png"
    source = zipped(tmp_path / "x.zip", lambda files: files.update({wrong: PICTURE}))
    with pytest.raises(BadReply, match="was changed"):
        taken(source)


def test_nothing_is_kept_of_what_is_refused(tmp_path: Path) -> None:
    kept: list[bytes] = []

    def judge(package: Package, refs: frozenset[str]) -> None:
        raise ValueError("the card is of another kind")

    def note(content: bytes) -> str:
        kept.append(content)
        return keep(content)

    with pytest.raises(BadReply, match="of another kind"):
        unpack(written(tmp_path / "x.zip"), judge, note)
    assert kept == []


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(place=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_zip_is_refused_or_whole(
    tmp_path: Path, place: int, value: int, cut: bool
) -> None:
    good = tmp_path / "good.zip"
    content = bytearray((good if good.exists() else written(good)).read_bytes())
    place %= len(content)
    content = content[:place] if cut else content
    if not cut:
        content[place] = value
    source = tmp_path / "damaged.zip"
    source.write_bytes(content)
    try:
        package, _ = taken(source)
    except BadReply:
        return
    assert package == Package(b"{}", b"PAR1")


def test_other_files_are_no_package(tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(b"no zip")
    with pytest.raises(BadReply, match="cannot be read"):
        taken(file)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("card.json", b"{}")
    file.write_bytes(buffer.getvalue())
    with pytest.raises(BadReply, match="no package of a set of data"):
        taken(file)
