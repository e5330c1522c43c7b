"""Rooms and types: found by file name, loaded only when named."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from deungdae.core import registry


def test_unknown_types_are_told_with_what_looks_alike() -> None:
    with pytest.raises(registry.UnknownTypeError) as told:
        registry.load("machines", "modbuss")
    assert told.value.close == ["modbus"]
    for odd in ("", "../core", "machines.modbus", "_moment"):
        with pytest.raises(registry.UnknownTypeError):
            registry.load("machines", odd)


def test_what_is_no_plugin_is_not_listed() -> None:
    assert "states" not in registry.names("insight")
    assert "_moment" not in registry.names("machines")


def test_listing_and_loading_one_import_no_other() -> None:
    code = (
        "import sys; from deungdae.core import registry; registry.names('machines');"
        "registry.load('machines', 'simulated');"
        "print([m for m in ('asyncua', 'pymodbus', 'lxml', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("room", registry.ROOMS)
def test_every_plugin_describes_every_option(room: str) -> None:
    assert registry.names(room)
    for name in registry.names(room):
        plugin = registry.load(room, name)
        msgspec.json.schema(plugin.Options)  # raises where an annotation could not be decoded
        assert plugin.__doc__, f"{room}.{name}"
        for option in registry.options(plugin):
            assert option.description, f"{room}.{name}.{option.name}"
            assert option.type, f"{room}.{name}.{option.name}"
