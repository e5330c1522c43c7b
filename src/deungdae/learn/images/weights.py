"""Weights of a network that learnt elsewhere, as a user gives them."""

from __future__ import annotations

import msgspec

METHOD = "backbone"  # the method that uses them
LARGEST = 600_000_000  # bytes of a file: twice that of the largest network that is known


class Weights(msgspec.Struct, frozen=True, eq=False):
    """A file of weights, by torch.save or safetensors.

    name: of the file; licence: under which it may be used, as who gives it says.
    """

    content: bytes
    name: str
    licence: str = ""
