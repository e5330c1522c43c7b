"""A network that learnt elsewhere, from the file of its weights. Nothing in a file is believed."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping

import msgspec
import torch
from torch import Tensor

from .resnet import KINDS, ResNet
from .weights import LARGEST, Weights

USED = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.")
COUNT = ".num_batches_tracked"  # of training; older files lack it
SPREAD = ".running_var"
TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
         "I64": torch.int64}  # fmt: skip
RIGHT = f"right are those of {', '.join(KINDS)}, in a state dict with torchvision's names"
ZIP = b"PK\x03\x04"


def read(weights: Weights) -> ResNet:
    """Return the network, its weights for ever as they are.

    Raises ValueError, with the file's name and what would be right, for weights of another one.
    """
    try:
        given = _used(_tensors(weights.content))
        network = ResNet(_kind({name: tuple(each.shape) for name, each in given.items()}))
        network.eval().requires_grad_(False)
        network.load_state_dict(_numbers(given), strict=False)
        stages = network(torch.linspace(-2, 2, 3 * 64 * 64).reshape(1, 3, 64, 64))
        if not all(bool(torch.isfinite(each * each).all()) for each in stages):
            raise ValueError("with these weights it sees what is no number")
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"weights {weights.name}: {error}; {RIGHT}") from error
    return network


def _tensors(content: bytes) -> Mapping[str, Tensor]:
    """Return all that is in a file. Raises ValueError where it is not tensors with names alone."""
    if not 0 < len(content) <= LARGEST:
        raise ValueError(f"a file of {len(content):,} bytes, {LARGEST:,} at the most")
    if content[8:9] == b"{":
        return _of_safetensors(content)
    if content.startswith(ZIP):
        _check_zip(content)
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # its words would have people run what is in the file
        raise ValueError(
            "it is damaged, or holds more than tensors: torch.save(model.state_dict(), FILE)"
        ) from error
    except Exception as error:  # PyTorch raises classes of its own, one for each cause
        raise ValueError(f"no file of torch.save or safetensors ({str(error)[:80]})") from error
    if not isinstance(found, Mapping):
        raise ValueError(f"it holds a {type(found).__name__}")
    for name, each in found.items():
        if not isinstance(name, str) or not isinstance(each, Tensor):
            raise ValueError(f"what it calls {str(name)[:40]} is no tensor")
    return found


def _check_zip(content: bytes) -> None:
    """Raise ValueError where the file is damaged, or larger than it looks."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(each.file_size for each in archive.infolist())
    except zipfile.BadZipFile as error:
        raise ValueError(f"it is damaged ({error})") from error
    if size > LARGEST:
        raise ValueError(f"{size:,} bytes are packed in it, {LARGEST:,} at the most")


class _Entry(msgspec.Struct, frozen=True):
    """Where a tensor is: its bytes, counted from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def _of_safetensors(content: bytes) -> Mapping[str, Tensor]:
    """Return the tensors of a file in the format of safetensors. Raises ValueError.

    Source: the description of the format, huggingface/safetensors, README.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    try:
        header = msgspec.json.decode(content[8:start], type=dict[str, msgspec.Raw])
        header.pop("__metadata__", None)
        entries = {name: msgspec.json.decode(raw, type=_Entry) for name, raw in header.items()}
        sizes = [abs(each.data_offsets[1] - each.data_offsets[0]) for each in entries.values()]
        if sum(sizes) > len(content):
            raise ValueError("tensors share bytes, or there are too few")
        return {name: _tensor(each, content, start) for name, each in entries.items()}
    except (KeyError, RuntimeError, ValueError, msgspec.MsgspecError) as error:
        raise ValueError(f"damaged safetensors ({str(error)[:80]})") from error


def _tensor(entry: _Entry, content: bytes, start: int) -> Tensor:
    low, high = (start + each for each in entry.data_offsets)
    data = torch.frombuffer(bytearray(content[low:high]), dtype=TYPES[entry.dtype])
    return data.reshape(entry.shape)


def _used(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return those tensors that are used. Raises ValueError where there is none."""
    used = {
        name: each
        for name, each in found.items()
        if name.startswith(USED) and not name.endswith(COUNT)
    }
    if not used:
        names = ", ".join([*found][:3]) or "nothing"
        raise ValueError(f"its tensors are called otherwise: {names[:80]} …")
    return used


def _kind(given: Mapping[str, tuple[int, ...]]) -> str:
    """Return which network has tensors of these names and shapes.

    Raises ValueError with what is other than in the one that is most like it.
    """
    apart = {kind: _apart(given, kind) for kind in KINDS}
    kind = min(apart, key=lambda each: len(apart[each]))
    if apart[kind]:
        raise ValueError(f"of no known network, most like {kind}, but {apart[kind][0]}")
    return kind


def _apart(given: Mapping[str, tuple[int, ...]], kind: str) -> list[str]:
    """Return in which tensors a network differs from what is given, in words."""
    with torch.device("meta"):
        state = ResNet(kind).state_dict()
    wanted = {name: tuple(each.shape) for name, each in state.items() if not name.endswith(COUNT)}
    return [
        f"{name} is {given.get(name, 'missing')}, not {wanted.get(name, 'missing')}"
        for name in {**wanted, **given}
        if given.get(name) != wanted.get(name)
    ]


def _numbers(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of 32 bits. Raises ValueError where they are no weights."""
    found = {}
    for name, each in given.items():
        if not each.is_floating_point():
            raise ValueError(f"{name} holds {each.dtype}")
        found[name] = each.float()
        if not bool(torch.isfinite(found[name]).all()):
            raise ValueError(f"{name} holds what is no number")
        if name.endswith(SPREAD) and bool((each < 0).any()):
            raise ValueError(f"{name} holds a spread below 0")
    return found
