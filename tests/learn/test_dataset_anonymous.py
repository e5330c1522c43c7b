"""What may leave the factory tells of no person, part or day, and its pixels stay as they were."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from deungdae.core.types import DAY, HOUR, SECOND
from deungdae.learn.dataset import Column, Consent, Dataset, Item, Label, Origin, anonymous, strip
from deungdae.wires.pixels import decoded

KEY = bytes(range(32))
COLUMNS = (
    Column(name="force", unit="kN"),
    Column(name="remark", kind="text"),
    Column(name="serial"),
    Column(name="mould", kind="text"),
)
T = 1_800_000_000 * SECOND


def ref(n: int) -> str:
    return f"sha256:{n:064x}"


def made(n: int = 12) -> Dataset:
    return Dataset.of(
        "bricks",
        [
            Item(
                ref=ref(k), name=f"B2026-{k:05d}", group=f"lot {k // 3}", time=T + k * HOUR,
                label="good", source="person", values=(1.5, "kim said so", float(1000 + k), "m1"),
                labels=(
                    Label(label="good", source="person", who="Kim Minji", time=T + k * HOUR),
                    Label(label="reject", source="inspection", who="vision", time=T),
                ),
            )
            for k in range(n)
        ],
        columns=COLUMNS,
        description="bricks that Kim looked at",
        contributor="Kim Minji",
        licence="CC-BY-4.0",
        consent=Consent(by="Kim Minji", on="2026-11-02", uses=("research",), note="by telephone"),
        origin=Origin(factory="brickworks", line="line1", signals=("camera.image",)),
        left_out=("B2026-99999: broken",),
        declaration='contributor = "Kim Minji"',
    )  # fmt: skip


def veiled(**told: object) -> Dataset:
    refs = {ref(k): ref(100 + k) for k in range(20)}
    return anonymous(made(), "given", KEY, refs, **told)  # type: ignore[arg-type]


class TestAnonymous:
    def test_nothing_of_it_is_left(self) -> None:
        dataset = veiled()
        everything = repr((dataset.card, dataset.items))
        for told in ("Kim", "kim", "B2026", "lot ", "line1", "brickworks", "telephone", "camera"):
            assert told not in everything

    def test_what_is_needed_stays(self) -> None:
        dataset = veiled()
        assert (dataset.card.licence, dataset.card.consent.uses) == ("CC-BY-4.0", ("research",))
        assert dataset.card.consent.by.startswith("person-")
        assert dataset.card.groups == 4
        assert [column.name for column in dataset.card.columns] == ["force"]
        assert {item.values for item in dataset.items} == {(1.5,)}
        assert {item.ref for item in dataset.items} == {ref(100 + k) for k in range(12)}
        assert dataset.card.parents == (f"original@{made().card.version}",)
        assert {label.who for item in dataset.items for label in item.labels} > {"vision"}

    def test_groups_stay_groups(self) -> None:
        before = {item.ref: item.group for item in made().items}
        after = {item.ref: item.group for item in veiled().items}
        pairs = {(before[ref(int(r[7:], 16) - 100)], group) for r, group in after.items()}
        assert len(pairs) == 4

    def test_times_are_shifted_by_one_constant_of_whole_days(self) -> None:
        times = sorted(item.time for item in veiled().items)
        assert set(np.diff(times)) == {HOUR}
        shift = T - times[0]
        assert shift > 0
        assert shift % DAY == 0

    def test_or_cut_down(self) -> None:
        assert {item.time % DAY for item in veiled(coarse=DAY).items} == {0}
        assert any("multiples of 86400 s" in each for each in veiled(coarse=DAY).card.anonymised)

    def test_it_says_what_was_done_and_what_not(self) -> None:
        told = " ".join(veiled().card.anonymised)
        assert "remark, serial, mould" in told
        assert "k-anonymity is not promised" in told
        assert "what they show was not looked at" in told

    def test_columns_are_kept_on_demand(self) -> None:
        dataset = veiled(keep=["mould"])
        assert [column.name for column in dataset.card.columns] == ["force", "mould"]
        with pytest.raises(ValueError, match="no column weight"):
            veiled(keep=["weight"])

    def test_the_key_decides_and_is_not_short(self) -> None:
        assert veiled().card.version == veiled().card.version
        refs = {ref(k): ref(100 + k) for k in range(20)}
        other = anonymous(made(), "given", bytes(32), refs)
        assert other.card.version != veiled().card.version
        with pytest.raises(ValueError, match="32 bytes"):
            anonymous(made(), "given", b"short", refs)


def picture(kind: str, **told: object) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (37, 41, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **told)
    return file.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    found = Image.Exif()
    found[0x010F] = "Camera of Kim"
    found[0x0112] = orientation
    return found


class TestStrip:
    @pytest.mark.parametrize(
        "content",
        [
            picture("JPEG", exif=exif(), comment=b"Kim"),
            picture("JPEG", exif=exif(), progressive=True, subsampling=0, icc_profile=b"Kim" * 99),
            picture("JPEG", exif=exif(), restart_marker_rows=1) + b"behind it: Kim",
            picture("PNG", exif=exif()) + b"Kim",
        ],
    )
    def test_tells_nothing_and_shows_the_same(self, content: bytes) -> None:
        bare = strip(content)
        assert b"Kim" in content
        assert b"Kim" not in bare
        assert b"Exif" not in bare
        assert np.array_equal(decoded(bare), decoded(content))
        assert strip(bare) == bare

    def test_takes_texts_out_of_a_png(self) -> None:
        notes = PngImagePlugin.PngInfo()
        notes.add_text("Author", "Kim")
        notes.add_itxt("Place", "Kim", zip=True)
        bare = strip(picture("PNG", pnginfo=notes, dpi=(72, 72)))
        kinds = {bare[place + 4 : place + 8] for place in (8, 33)}
        assert kinds == {b"IHDR", b"IDAT"}

    def test_keeps_what_is_transparent_and_the_palette(self) -> None:
        file = io.BytesIO()
        image = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16), "P")
        image.putpalette(list(range(256)) * 3)
        image.save(file, "PNG", transparency=3)
        assert np.array_equal(decoded(strip(file.getvalue())), decoded(file.getvalue()))

    def test_colours_of_a_cmyk_jpeg_stay(self) -> None:
        file = io.BytesIO()
        pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 4), np.uint8)
        Image.fromarray(pixels, "CMYK").save(file, "JPEG")
        assert np.array_equal(decoded(strip(file.getvalue())), decoded(file.getvalue()))

    @given(st.integers(0, 3000), st.sampled_from(["JPEG", "PNG"]))
    def test_says_that_a_file_is_cut_off(self, length: int, kind: str) -> None:
        whole = picture(kind, quality=90) if kind == "JPEG" else picture(kind)
        content = whole[: min(length, len(whole) - 1)]
        with pytest.raises(ValueError, match=r"cut off|only PNG and JPEG|no JPEG"):
            strip(content)

    @given(st.binary(max_size=300))
    def test_never_fails_in_another_way(self, content: bytes) -> None:
        for start in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"):
            try:
                strip(start + content)
            except ValueError:
                continue
