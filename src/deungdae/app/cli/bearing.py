"""The verb detect bearing: what recordings of vibration say of a bearing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.core.units import conversion

from .output import Output

if TYPE_CHECKING:
    from deungdae.insight.condition import Block, Healthy, Multiples

READ = (".mat", ".csv", ".npy")


def add(kinds: Any) -> None:
    """Add the kind to the verb detect."""
    kind = kinds.add_parser("bearing", help="inner race, outer race, ball or cage, and ISO zone")
    kind.add_argument("files", nargs="+", type=Path, metavar="FILE", help=", ".join(READ))
    kind.add_argument("--bearing", default="", metavar="NAME", help="of the catalogue: 6203, 6205")
    kind.add_argument("--balls", type=int, metavar="N", help="with --ball and --pitch, else")
    kind.add_argument("--ball", type=float, metavar="MM", help="diameter")
    kind.add_argument("--pitch", type=float, metavar="MM", help="diameter")
    kind.add_argument("--angle", type=float, default=0.0, metavar="DEG", help="of contact (0)")
    kind.add_argument(
        "--multiples", type=float, nargs=4, metavar=("BPFI", "BPFO", "2BSF", "FTF"),
        help="strikes in a turn, else",
    )  # fmt: skip
    kind.add_argument("--rate", type=float, required=True, metavar="HZ", help="samples a second")
    kind.add_argument("--speed", type=float, metavar="RPM", help="else what a .mat file holds")
    kind.add_argument("--healthy", type=Path, metavar="FILE", help="of the same sensor")
    kind.add_argument("--healthy-rate", type=float, metavar="HZ", help="where it differs")
    kind.add_argument(
        "--channel", default="", metavar="NAME", help="variable or column, or its end"
    )
    kind.add_argument("--unit", default="m/s2", metavar="UCUM", help="of the values (m/s2); [g]")
    kind.add_argument("--seconds", type=float, metavar="S", help="of a block, else as needed")
    kind.add_argument("--group", type=int, choices=(1, 2), default=2, help="ISO 10816-3 (2)")
    kind.add_argument("--mounting", choices=("rigid", "flexible"), default="rigid", help="(rigid)")
    kind.add_argument("--json", action="store_true", help="print JSON with stable keys")
    kind.set_defaults(run=_detect)


def _detect(options: argparse.Namespace, output: Output) -> int:
    from deungdae.insight import condition  # noqa: PLC0415 — SciPy, for this verb alone

    multiples = _multiples(options)
    known = [_recording(path, options, options.rate) for path in options.files]
    rate = min(block.rate for block in known)
    healthy: Healthy | None = None
    if options.healthy:
        good = _recording(options.healthy, options, options.healthy_rate or options.rate)
        rate = min(rate, good.rate)
        _warn(options.healthy, good, output)
        healthy = condition.learn(
            condition.looks(good, multiples, seconds=options.seconds, rate=rate)
        )
    rows = []
    for path, block in zip(options.files, known, strict=True):
        _warn(path, block, output)
        rows.append(_judged(path, block, multiples, healthy, rate, options))
    if output.as_json:
        output.value(rows)
        return 0
    shown = ("file", "found", "by", "of its limit", "blocks that agree", "velocity, mm/s", "zone")
    output.rows([{key: row[key] for key in shown} for row in rows])
    for row in rows:
        output.say(f"\n{row['file']}: {row['words']}")
        for doubt in row["doubts"]:
            output.say(f"    doubt: {doubt}")
    return 0


def _judged(
    path: Path,
    block: Block,
    multiples: Multiples,
    healthy: Healthy | None,
    rate: float,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Return what one recording says: its blocks together, and how many of them agree."""
    from deungdae.insight import condition  # noqa: PLC0415 — as above

    seen = condition.looks(block, multiples, seconds=options.seconds, rate=rate)
    found = condition.diagnose(condition.together(seen), healthy)
    alike = [condition.diagnose(each, healthy).place == found.place for each in seen]
    row: dict[str, Any] = {
        "file": path.name,
        "found": found.place,
        "by": found.by,
        "of its limit": found.ratio,
        "blocks that agree": f"{sum(alike)} of {len(alike)}",
    }
    row |= _shaking(block, options)
    row |= {
        "words": condition.in_words(found),
        "chance when healthy": found.chance,
        "strikes": msgspec.to_builtins(found.strikes),
        "limits": found.limits,
        "risen": found.risen,
        "doubts": list(found.doubts),
    }
    return row


def _shaking(block: Block, options: argparse.Namespace) -> dict[str, Any]:
    from deungdae.insight import condition  # noqa: PLC0415 — as above

    try:
        found = condition.indicators(block)
    except NotEnoughData as error:
        return {"velocity, mm/s": None, "zone": str(error)}
    return {
        "velocity, mm/s": found.velocity,
        "zone": condition.zone(found.velocity, options.group, options.mounting),
        "acceleration, m/s2": found.acceleration,
        "kurtosis": found.kurtosis,
        "crest": found.crest,
    }


def _warn(path: Path, block: Block, output: Output) -> None:
    """Tell what looks wrong with a recording as it was described."""
    from deungdae.insight import condition  # noqa: PLC0415 — as above

    if doubt := condition.doubt_of_rate(block):
        output.note(f"{path.name}: {doubt}")


def _multiples(options: argparse.Namespace) -> Multiples:
    """Return the bearing that the options describe. Raises ValueError for none, or for two."""
    from deungdae.insight import condition  # noqa: PLC0415 — as above

    sizes = (options.balls, options.ball, options.pitch)
    given = [bool(options.bearing), any(size is not None for size in sizes),
             options.multiples is not None]  # fmt: skip
    if sum(given) != 1:
        raise ValueError("state one of --bearing, --balls with --ball and --pitch, or --multiples")
    if options.bearing:
        if options.bearing not in condition.CATALOGUE:
            known = ", ".join(sorted(condition.CATALOGUE))
            raise ValueError(f"--bearing {options.bearing} is not in the catalogue: {known}")
        return condition.CATALOGUE[options.bearing]
    if options.multiples:
        return msgspec.convert(
            dict(zip(("inner", "outer", "ball", "cage"), options.multiples, strict=True)),
            condition.Multiples,
        )
    names = ("balls", "ball", "pitch")
    stated = {name: size for name, size in zip(names, sizes, strict=True) if size is not None}
    geometry = msgspec.convert(stated | {"angle": options.angle}, condition.Geometry)
    return condition.from_geometry(geometry)


def _recording(path: Path, options: argparse.Namespace, rate: float) -> Block:
    """Return what a file holds, in m/s2. Raises ValueError, FileNotFoundError, NotEnoughData."""
    from deungdae.insight import condition  # noqa: PLC0415 — as above

    columns = _columns(path)
    value = _chosen(path, columns, options.channel)
    speed = options.speed
    if speed is None:
        told = [column for name, column in columns.items() if name.upper().endswith("RPM")]
        if len(told) != 1 or len(told[0]) != 1:
            raise ValueError(f"{path.name} does not hold the shaft's speed: give --speed")
        speed = float(told[0][0])
    gain, _ = conversion(options.unit, "m/s2")
    try:
        return condition.recorded(value * gain, rate, speed / 60)
    except NotEnoughData as error:
        raise NotEnoughData(f"{path.name}: {error}") from error


def _chosen(path: Path, columns: dict[str, FloatArray], channel: str) -> FloatArray:
    """Return the column of that name, of that end, or the only long one."""
    long = {name: column for name, column in columns.items() if len(column) > 1}
    ends = {name for name in long if name.removesuffix("_time").endswith(channel)}
    found = [channel] if channel in long else sorted(ends)
    if len(found) != 1:
        raise ValueError(
            f"{path.name} holds {', '.join(sorted(long)) or 'no columns'}: name one with --channel"
        )
    return long[found[0]]


def _columns(path: Path) -> dict[str, FloatArray]:
    """Return the numeric columns of a file by name. Raises ValueError, FileNotFoundError."""
    if path.suffix not in READ:
        raise ValueError(f"{path.name}: recordings are read from {', '.join(READ)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there")
    try:
        if path.suffix == ".mat":
            return _matlab(path)
        if path.suffix == ".npy":
            return {"value": np.load(path, allow_pickle=False).astype(np.float64).ravel()}
        table: Any = np.genfromtxt(path, delimiter=",", names=True, dtype=np.float64, ndmin=1)
        return {name: np.asarray(table[name]) for name in table.dtype.names or ()}
    except (ValueError, TypeError, EOFError, NotImplementedError, IndexError) as error:
        raise ValueError(f"{path.name} is no {path.suffix} file: {error}") from error


def _matlab(path: Path) -> dict[str, FloatArray]:
    from scipy.io import loadmat  # noqa: PLC0415 — slow to import
    from scipy.io.matlab import MatReadError  # noqa: PLC0415

    try:
        held = loadmat(path)
    except MatReadError as error:
        raise ValueError(str(error)) from error
    arrays: Sequence[tuple[str, Any]] = [(k, v) for k, v in held.items() if k[:2] != "__"]
    return {
        name: array.astype(np.float64).ravel()
        for name, array in arrays
        if isinstance(array, np.ndarray) and array.dtype.kind in "fiu"
    }
