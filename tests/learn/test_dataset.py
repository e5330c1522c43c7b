"""What belongs to a set, which version it is, and what its card says that it cannot promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.ports import Samples
from deungdae.core.types import SECOND
from deungdae.learn.dataset import (
    Card,
    Column,
    Dataset,
    Item,
    Label,
    contradicts,
    from_parquet,
    over,
    settled,
    to_parquet,
    together,
    typed,
)

COLUMNS = (Column(name="force", unit="kN"), Column(name="mould", kind="text"))


def ref(n: int) -> str:
    return f"sha256:{n:064x}"


def image(n: int, label: str = "good", group: str = "", **more: object) -> Item:
    said = (Label(label=label, source="file"),) if label else ()
    source = "file" if label else ""
    told: dict[str, object] = {"values": (float(n), "a"), "name": f"{n:03d}.png", "labels": said}
    told |= {"group": group or f"g{n}", "source": source, **more}
    return Item(ref=ref(n), label=label, **told)  # type: ignore[arg-type]


def made(items: list[Item], **card: object) -> Dataset:
    return Dataset.of("bricks", items, columns=COLUMNS, **card)


class TestVersion:
    def test_is_the_same_on_any_machine(self) -> None:
        """The number itself: whoever changes what is hashed makes all known versions unknown."""
        found = made([image(1), image(2, "crack", time=5, mask=ref(9))]).card.version
        assert found == "8aaf55a425c61b14e738915639c8fdca708ecddd666693df7ca0e95b2d7b3a8a"

    @given(st.permutations([image(n, "crack" if n % 3 else "good") for n in range(6)]))
    def test_does_not_depend_on_the_order(self, items: list[Item]) -> None:
        ordered = made([image(n, "crack" if n % 3 else "good") for n in range(6)])
        assert made(items).card.version == ordered.card.version
        assert made(items).items == ordered.items

    @pytest.mark.parametrize(
        "other",
        [
            image(1, "crack"),
            image(1, group="other"),
            image(1, time=1),
            image(1, mask=ref(5)),
            image(1, values=(1.0000000000000002, "a")),
            image(1, values=(None, "a")),
            image(1, values=(1.0, "")),
            image(1, labels=(Label(label="good", source="file", who="kim"),)),
            image(7),
        ],
    )
    def test_changes_with_every_part_of_an_item(self, other: Item) -> None:
        assert made([image(1), image(2)]).card.version != made([other, image(2)]).card.version

    def test_changes_with_what_means_good_and_with_the_columns(self) -> None:
        items = [image(1), image(2)]
        versions = {
            made(items).card.version,
            made(items, good=["good", "free"]).card.version,
            Dataset.of("bricks", items, columns=(Column(name="force", unit="N"), COLUMNS[1]))
            .card.version,
        }  # fmt: skip
        assert len(versions) == 3

    def test_does_not_change_with_words_on_the_card(self) -> None:
        told = made([image(1)], description="bricks of line 1", licence="CC0-1.0").card
        assert told.version == made([image(1)]).card.version
        assert told.seal != made([image(1)]).card.seal

    def test_keeps_equal_rows_apart(self) -> None:
        row = Item(name="1", group="a", values=(1.0, "x"))
        assert made([row, row]).card.version != made([row]).card.version

    def test_takes_what_is_no_number_as_missing(self) -> None:
        odd = [image(n, values=(value, None)) for n, value in enumerate((np.nan, np.inf, -0.0))]
        assert [item.values[0] for item in made(odd).items] == [None, None, 0.0]

    def test_finds_a_changed_item(self) -> None:
        dataset = made([image(1), image(2)])
        assert dataset.problems() == []
        changed = Dataset(dataset.card, (image(1, "crack"), dataset.items[1]))
        assert "was changed after it was made" in changed.problems()[0]

    def test_refuses_values_that_do_not_fit(self) -> None:
        with pytest.raises(ValueError, match="1 values for 2 columns"):
            made([image(1, values=(1.0,))])
        with pytest.raises(ValueError, match="does not fit the column force"):
            made([image(1, values=("heavy", "a"))])
        with pytest.raises(ValueError, match="every set has that for itself"):
            Dataset.of("x", [Item(values=(1.0,))], columns=[Column(name="label")])

    @pytest.mark.parametrize("names", [("label",), ("image",), ("",), ("force", "force")])
    def test_refuses_names_of_columns_that_would_be_two(self, names: tuple[str, ...]) -> None:
        columns = [Column(name=name) for name in names]
        with pytest.raises(ValueError, match="column"):
            Dataset.of("x", [Item(values=(1.0,) * len(names))], columns=columns)


class TestLabels:
    def test_the_newest_person_holds(self) -> None:
        said = [
            Label(label="good", source="person", who="kim", time=1),
            Label(label="reject", source="person", who="lee", time=2),
            Label(label="good", source="inspection", who="vision", time=9),
        ]
        assert settled(said) == ("reject", "person")
        assert contradicts(said)

    def test_an_inspection_holds_where_nobody_looked(self) -> None:
        said = [Label(label="reject", source="inspection", time=1)]
        assert settled(said) == ("reject", "inspection")
        assert not contradicts(said)

    def test_who_changes_his_mind_does_not_contradict(self) -> None:
        said = [Label(label=label, source="person", who="kim", time=time)
                for time, label in enumerate(("good", "reject"))]  # fmt: skip
        assert settled(said)[0] == "reject"
        assert not contradicts(said)

    def test_two_that_are_equally_new_hold_neither(self) -> None:
        said = [Label(label=label, source="file") for label in ("good", "reject")]
        assert settled(said) == ("", "")
        assert settled([]) == ("", "")

    def test_one_image_under_two_labels_is_one_item_without_a_label(self) -> None:
        dataset = made([image(1, "good"), image(1, "crack", name="copy.png")])
        (item,) = dataset.items
        assert (item.label, len(item.labels)) == ("", 2)
        assert dataset.card.contradicting == 1
        assert "1 items have labels that contradict each other" in dataset.card.limits

    def test_one_image_in_two_groups_makes_them_one(self) -> None:
        dataset = made([image(1, group="a"), image(1, group="b"), image(2, group="b"), image(3)])
        assert {item.ref: item.group for item in dataset.items}[ref(2)] == "a"
        assert dataset.card.groups == 2

    def test_says_who_is_bad(self) -> None:
        dataset = made([image(1), image(2, "crack"), image(3, "")])
        assert [dataset.bad(item) for item in dataset.items] == [False, True, None]


class TestTogether:
    @given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3), max_size=12))
    def test_joins_what_is_linked(self, names: list[list[str]]) -> None:
        root = together(names)
        for linked in names:
            assert len({root[name] for name in linked}) == 1
        for name, group in root.items():
            assert root[group] == group <= name


class TestLimits:
    def test_few_images_promise_nothing(self) -> None:
        limits = made([image(n) for n in range(7)]).card.limits
        assert limits[0] == "7 items: no error rate can be promised from so few"
        assert any("how much escapes cannot be measured" in limit for limit in limits)

    def test_says_how_much_may_escape(self) -> None:
        """0 of n missed: the 95 % bound is 1 - 0.05^(1/n); for 38 groups 7.6 %."""
        items = [image(n, "crack" if n < 38 else "good") for n in range(100)]
        assert any(
            "38 groups" in limit and "up to 8%" in limit for limit in made(items).card.limits
        )

    def test_says_that_nothing_is_labelled(self) -> None:
        limits = made([image(n, "") for n in range(20)]).card.limits
        assert "not what is bad" in limits[0]

    def test_says_that_one_group_cannot_be_split(self) -> None:
        limits = made([image(n, group="lot 1") for n in range(20)]).card.limits
        assert any("nothing can be held out" in limit for limit in limits)

    def test_names_a_column_that_is_mostly_missing(self) -> None:
        items = [image(n, values=(None if n < 5 else 1.0, "a")) for n in range(20)]
        assert "force is missing in 5 of 20 items" in made(items).card.limits

    def test_counts_by_label_and_group(self) -> None:
        card = made([image(n, "crack" if n % 2 else "good", group=f"g{n // 4}")
                     for n in range(12)]).card  # fmt: skip
        assert [(c.label, c.items, c.groups) for c in card.counts] == [
            ("crack", 6, 3), ("good", 6, 3),
        ]  # fmt: skip
        assert (card.items, card.groups, card.sources) == (12, 3, {"file": 12})


class TestParquet:
    def test_gives_back_what_was_put(self) -> None:
        items = made([image(1, time=7), image(2, "", values=(None, "가마"))]).items
        assert from_parquet(to_parquet(items, COLUMNS), COLUMNS) == items

    def test_refuses_other_columns_and_other_bytes(self) -> None:
        content = to_parquet(made([image(1)]).items, COLUMNS)
        with pytest.raises(ValueError, match="not those of the card"):
            from_parquet(content, COLUMNS[:1])
        with pytest.raises(ValueError, match="no Parquet file"):
            from_parquet(content[:-20], COLUMNS)

    @given(st.binary(max_size=200))
    def test_says_that_it_is_none(self, content: bytes) -> None:
        with pytest.raises(ValueError, match="no Parquet file"):
            from_parquet(content, ())


class TestTyped:
    def test_tells_numbers_from_text(self) -> None:
        rows = [
            {"a": "1.5", "b": "x", "c": "", "d": "1_0", "label": "2"},
            {"a": "", "b": "3", "c": "nan", "d": "4", "label": "3"},
        ]
        columns, values = typed(rows, ["a", "b", "c", "d", "label"], {"a": "kN"})
        assert [(c.name, c.kind, c.unit) for c in columns] == [
            ("a", "number", "kN"), ("b", "text", "1"), ("c", "number", "1"), ("d", "text", "1"),
            ("label_", "number", "1"),
        ]  # fmt: skip
        assert values == [(1.5, "x", None, "1_0", 2.0), (None, "3", None, "4", 3.0)]

    def test_keeps_long_whole_numbers_as_text(self) -> None:
        columns, values = typed([{"serial": 2**53 + 1}], ["serial"], {})
        assert (columns[0].kind, values) == ("text", [("9007199254740993",)])


class TestOver:
    samples = Samples(
        np.asarray([0, 10, 20, 30], np.int64) * SECOND,
        np.asarray([1.0, 3.0, 100.0, 5.0]),
        np.asarray([0, 0, 2, 0], np.uint8),  # the third is bad, and holds nothing
    )

    @pytest.mark.parametrize(
        ("what", "start", "end", "expected"),
        [
            ("mean", 0, 20, 2.0),
            ("mean", 5, 20, (5 * 1 + 10 * 3) / 15),
            ("mean", 15, 35, (5 * 3 + 5 * 5) / 10),  # the bad stretch does not count
            ("mean", 21, 29, None),
            ("mean", -9, -1, None),
            ("mean", 40, 50, 5.0),  # it holds until something else comes
            ("minimum", 5, 20, 1.0),
            ("maximum", 5, 35, 5.0),
            ("deviation", 0, 20, 2**0.5),
            ("deviation", 2, 9, None),
            ("last", 0, 15, 3.0),
            ("last", 0, 25, None),
        ],
    )
    def test_by_hand(self, what: str, start: int, end: int, expected: float | None) -> None:
        stretch = np.asarray([start, end], np.int64) * SECOND
        (found,) = over(self.samples, stretch[:1], stretch[1:], what)  # type: ignore[arg-type]
        assert np.isnan(found) if expected is None else found == pytest.approx(expected)

    def test_nothing_known_of_nothing(self) -> None:
        nothing = Samples(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))
        one = np.asarray([1], np.int64)
        assert np.isnan(over(nothing, one, one + 1, "mean")).all()


def test_a_column_is_an_array() -> None:
    dataset = made([image(1), image(2, values=(None, None))])
    np.testing.assert_array_equal(dataset.column("force"), [1.0, np.nan])
    assert dataset.column("mould").tolist() == ["a", ""]
    with pytest.raises(LookupError, match="force, mould"):
        dataset.column("weight")


def test_the_name_of_a_card_tells_its_version() -> None:
    assert Card(name="a", version="b", kind="rows").id == "a@b"
