"""How a set is cut: one declaration, strict, that says where from, which labels, which groups."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from .card import Consent
from .parquet import MOST


class Folder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Images that lie in a folder, told by a manifest or by folders named after their labels."""

    images: Annotated[str, msgspec.Meta(description="Folder of the images", min_length=1)]
    manifest: Annotated[
        str, msgspec.Meta(description="CSV or Parquet file that lists them; else all are taken")
    ] = ""
    file: Annotated[str, msgspec.Meta(description="Column of the manifest: the image's file")] = (
        "file"
    )
    label: Annotated[
        str, msgspec.Meta(description="Column of the manifest: the label; else the folder's name")
    ] = ""
    group: Annotated[
        str,
        msgspec.Meta(
            description="Column of the manifest: what belongs together (part, tile, lot). Without "
            "a manifest: `prefix`, the file's name before its last _ or -, or a regular "
            "expression whose match in the file's name is the group"
        ),
    ] = ""
    mask: Annotated[
        str,
        msgspec.Meta(
            description="Column of the manifest: the mask's file, an image whose bright half is "
            "the defect, or a text of boxes: left, top, right, bottom on each line, in pixels"
        ),
    ] = ""
    golden: Annotated[
        str,
        msgspec.Meta(
            description="Column of the manifest: the file of a golden image. Without a manifest: "
            "the one golden image's file, or what to change in an image's name: `_test=_temp`"
        ),
    ] = ""
    time: Annotated[
        str, msgspec.Meta(description="Column of the manifest: when it was taken, ISO 8601")
    ] = ""


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows of a CSV or Parquet file."""

    file: Annotated[str, msgspec.Meta(description="CSV or Parquet file", min_length=1)]
    label: Annotated[str, msgspec.Meta(description="Column of the label")] = ""
    group: Annotated[
        str, msgspec.Meta(description="Column of what belongs together; else each row is alone")
    ] = ""
    time: Annotated[str, msgspec.Meta(description="Column of the time, ISO 8601")] = ""
    columns: Annotated[tuple[str, ...], msgspec.Meta(description="Columns to keep; else all")] = ()
    units: Annotated[
        dict[str, str], msgspec.Meta(description="UCUM codes of columns, by their names")
    ] = {}


class Join(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signal that becomes a column: what it was while the part was made, or just before."""

    signal: Annotated[str, msgspec.Meta(description="Id of a numeric signal", min_length=1)]
    what: Annotated[
        Literal["mean", "minimum", "maximum", "deviation", "last"],
        msgspec.Meta(description="What of it; the mean is weighted by time"),
    ] = "mean"
    window: Annotated[
        float,
        msgspec.Meta(
            description="Over so long before the image, or before the end of the step where its "
            "beginning is not known",
            gt=0,
            le=30 * 86400,
            extra={"unit": "s"},
        ),
    ] = 60.0
    step: Annotated[
        str, msgspec.Meta(description="Asset: over the part's own step there, by its trace")
    ] = ""
    name: Annotated[str, msgspec.Meta(description="Name of the column; else made from these")] = ""

    @property
    def column(self) -> str:
        """Return the name of the column."""
        return self.name or f"{self.signal}.{self.what}"


class Pictures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Images that cameras of the line took, with what people and inspections said of them."""

    signals: Annotated[
        tuple[str, ...], msgspec.Meta(description="Ids of signals of images", min_length=1)
    ]
    since: Annotated[str, msgspec.Meta(description="ISO 8601, inclusive; else the beginning")] = (
        msgspec.field(name="from", default="")
    )
    until: Annotated[str, msgspec.Meta(description="ISO 8601, exclusive; else now")] = (
        msgspec.field(name="to", default="")
    )
    known: Annotated[
        str,
        msgspec.Meta(
            description="What was said after this moment does not count, ISO 8601; else `to`"
        ),
    ] = ""
    labels: Annotated[
        Literal["people", "inspection", "both"],
        msgspec.Meta(
            description="Whose word is the label: people's alone, the inspection's, or the "
            "inspection's where nobody looked; all is kept beside it"
        ),
    ] = "people"
    only_labelled: Annotated[bool, msgspec.Meta(description="Leave out images without a label")] = (
        False
    )
    group: Annotated[
        Literal["serial", "lot", "order", "day", "image"],
        msgspec.Meta(description="What belongs together; lots and orders by the part's trace"),
    ] = "serial"
    joins: Annotated[tuple[Join, ...], msgspec.Meta(description="Signals that become columns")] = (
        msgspec.field(name="join", default=())
    )


class Signals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signals of the line as rows at equal steps, with states and orders as columns."""

    signals: Annotated[
        tuple[str, ...], msgspec.Meta(description="Ids of numeric signals", min_length=1)
    ]
    events: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Ids of states, orders, texts: what held when the row began"),
    ] = ()
    every: Annotated[
        float, msgspec.Meta(description="Length of a row", gt=0, le=86400, extra={"unit": "s"})
    ] = 10.0
    since: Annotated[str, msgspec.Meta(description="ISO 8601, inclusive; else the beginning")] = (
        msgspec.field(name="from", default="")
    )
    until: Annotated[str, msgspec.Meta(description="ISO 8601, exclusive; else now")] = (
        msgspec.field(name="to", default="")
    )
    label: Annotated[
        str, msgspec.Meta(description="Id of the event whose value is the row's label")
    ] = ""
    group: Annotated[
        str,
        msgspec.Meta(description="`hour`, `day`, `week`, or the id of an event: its value"),
    ] = "day"


class Declaration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `<name>.dataset.toml`: exactly one of [folder], [table], [pictures] and [signals].

    ```toml
    # bricks.dataset.toml
    name = "bricks"
    good = ["good"]
    contributor = "Quality, line 1"
    licence = "CC-BY-4.0"

    [consent]
    by = "Works council and management"
    on = "2026-11-02"
    uses = ["training of our own inspection"]

    [pictures]
    signals = ["camera.image"]
    group = "lot"
    labels = "people"

    [[pictures.join]]
    signal = "press-1.force"
    step = "press-1"
    ```
    """

    name: Annotated[str, msgspec.Meta(description="Name of the set; else that of the file")] = ""
    description: Annotated[str, msgspec.Meta(description="What it shows, in a sentence or two")] = (
        ""
    )
    contributor: Annotated[str, msgspec.Meta(description="Who gives it")] = ""
    licence: Annotated[str, msgspec.Meta(description="SPDX code, or words")] = ""
    consent: Annotated[Consent, msgspec.Meta(description="Who agreed, when, to what use")] = (
        Consent()
    )
    good: Annotated[
        tuple[str, ...], msgspec.Meta(description="Labels that mean good; all others mean bad")
    ] = ("good",)
    limit: Annotated[int, msgspec.Meta(description="Items at most, the newest", ge=1, le=MOST)] = (
        100_000
    )
    limits: Annotated[
        tuple[str, ...], msgspec.Meta(description="What is known that it cannot show")
    ] = ()
    parents: Annotated[
        tuple[str, ...], msgspec.Meta(description="name@version of sets that it continues")
    ] = ()
    folder: Annotated[Folder | None, msgspec.Meta(description="Images of a folder")] = None
    table: Annotated[Table | None, msgspec.Meta(description="Rows of a file")] = None
    pictures: Annotated[Pictures | None, msgspec.Meta(description="Images of the line")] = None
    signals: Annotated[Signals | None, msgspec.Meta(description="Signals of the line")] = None

    def __post_init__(self) -> None:
        given = [self.folder, self.table, self.pictures, self.signals]
        if sum(each is not None for each in given) != 1:
            raise ValueError("needs exactly one of [folder], [table], [pictures] and [signals]")
