"""What is usual, as a file beside the factory's."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from .limit import Limit
from .model import Model
from .watch import Watch

_FORMAT = "deungdae-anomaly/1"


def dump(watch: Watch) -> str:
    """Return what is usual as JSON, for a file beside the factory's."""
    model = {name: _plain(getattr(watch.model, name)) for name in watch.model.__struct_fields__}
    rest = {name: _plain(getattr(watch, name)) for name in watch.__struct_fields__}
    return msgspec.json.format(
        msgspec.json.encode({"format": _FORMAT} | rest | {"model": model}), indent=0
    ).decode()


def load(text: str) -> Watch:
    """Return what `dump` wrote. Raises ValueError with what is wrong."""
    try:
        held: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        if held.pop("format", "") != _FORMAT:
            raise ValueError("it is no model of an anomaly analysis: make it with deungdae detect")
        model = {name: _array(part) for name, part in held.pop("model").items()}
        found = {name: _array(part) for name, part in held.items()}
        found["limit"] = msgspec.convert(held["limit"], Limit)
        found["names"] = tuple(held["names"])
        watch = Watch(model=Model(**model), **found)
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError) as error:
        raise ValueError(f"it is not whole: {error}") from error
    _check(watch)
    return watch


def _check(watch: Watch) -> None:
    """Raise ValueError where the parts of a model do not belong together."""
    columns, model = len(watch.names), watch.model
    wide = columns * (model.lags + 1)
    shapes = [each.shape for each in (model.centre, model.scale, model.mean)]
    fits = (
        model.columns == columns
        and shapes == [(wide,)] * 3
        and model.root.shape == (wide, wide)
        and all(x.shape == (columns,) for x in (watch.low, watch.middle, watch.high, watch.stand))
        and watch.limit.value > 0
        and watch.period > 0
    )
    if not fits or not np.isfinite(model.root).all():
        raise ValueError("its parts do not belong together: make it anew with deungdae detect")


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _array(value: object) -> Any:
    """Return a list of numbers as an array."""
    numbers = isinstance(value, list) and not any(isinstance(part, str) for part in value)
    return np.asarray(value, np.float64) if numbers else value
