"""Single machines in digital form: each model is one file, seeded and in SI time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite

import msgspec
import numpy as np

from .brick_press import BrickPress, BrickPressParameters
from .camera import Camera, CameraParameters
from .dryer import Dryer, DryerParameters
from .kiln import Kiln, KilnParameters
from .machining import Machining, MachiningParameters
from .meter import Meter, MeterParameters
from .mixer import Mixer, MixerParameters
from .motor import Motor, MotorParameters
from .palletiser import Palletiser, PalletiserParameters
from .parts import Plant, Quantity
from .press import Press, PressParameters
from .reader import Reader, ReaderParameters
from .tunnel import Tunnel, TunnelParameters

__all__ = ["Plant", "Quantity", "create", "models"]

_MODELS: dict[str, tuple[Callable[..., Plant], type[msgspec.Struct]]] = {
    "brick_press": (BrickPress, BrickPressParameters),
    "camera": (Camera, CameraParameters),
    "dryer": (Dryer, DryerParameters),
    "kiln": (Kiln, KilnParameters),
    "machining": (Machining, MachiningParameters),
    "meter": (Meter, MeterParameters),
    "mixer": (Mixer, MixerParameters),
    "motor": (Motor, MotorParameters),
    "palletiser": (Palletiser, PalletiserParameters),
    "press": (Press, PressParameters),
    "reader": (Reader, ReaderParameters),
    "tunnel": (Tunnel, TunnelParameters),
}


def create(model: str, seed: int, options: Mapping[str, float]) -> Plant:
    """Return a plant of the model, with default parameters but for the given options.

    Raises ValueError for an unknown model or option, naming the known, or a value out of bounds.
    """
    if model not in _MODELS:
        raise ValueError(f"no plant model is called {model!r}; known: {', '.join(sorted(_MODELS))}")
    plant, parameters = _MODELS[model]
    known = parameters.__struct_fields__
    for name, value in options.items():
        if name not in known:
            raise ValueError(f"{model} has no option {name!r}; known: {', '.join(known)}")
        if not isfinite(value):
            raise ValueError(f"{model} option {name} must be a finite number, not {value}")
    whole = {name: int(value) if value == int(value) else value for name, value in options.items()}
    return plant(msgspec.convert(whole, parameters), np.random.default_rng(seed))


def models() -> list[str]:
    """Return the name of every model, sorted."""
    return sorted(_MODELS)
