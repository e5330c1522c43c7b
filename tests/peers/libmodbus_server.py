"""A libmodbus server, through ctypes: `tcp PORT` or `rtu DEVICE UNIT`.

Holding 0, 2, 4, 6 hold 123.456 as float32, put there by libmodbus in the orders that are ABCD,
CDAB, BADC, DCBA on the wire; holding 10 holds -5; coil n and discrete n are on for odd n; input n
holds 1000 + n. Holding has 100 registers, input 200, the others 32 bits. RTU prints a line when it
is ready.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, c_char, c_float, c_int, c_uint8, c_uint16, c_void_p

LONGEST = 260


class Mapping(ctypes.Structure):
    """modbus_mapping_t of modbus.h 3.1."""

    _fields_ = [
        ("nb_bits", c_int),
        ("start_bits", c_int),
        ("nb_input_bits", c_int),
        ("start_input_bits", c_int),
        ("nb_input_registers", c_int),
        ("start_input_registers", c_int),
        ("nb_registers", c_int),
        ("start_registers", c_int),
        ("tab_bits", POINTER(c_uint8)),
        ("tab_input_bits", POINTER(c_uint8)),
        ("tab_input_registers", POINTER(c_uint16)),
        ("tab_registers", POINTER(c_uint16)),
    ]


def load() -> ctypes.CDLL:
    library = ctypes.CDLL("libmodbus.so.5")
    library.modbus_new_tcp.restype = c_void_p
    library.modbus_new_rtu.restype = c_void_p
    library.modbus_new_rtu.argtypes = [ctypes.c_char_p, c_int, c_char, c_int, c_int]
    library.modbus_mapping_new.restype = POINTER(Mapping)
    for order in ("abcd", "cdab", "badc", "dcba"):
        getattr(library, f"modbus_set_float_{order}").argtypes = [c_float, POINTER(c_uint16)]
    return library


def fill(library: ctypes.CDLL) -> ctypes._Pointer[Mapping]:
    mapping = library.modbus_mapping_new(32, 32, 100, 200)
    held = mapping.contents
    # libmodbus 3.1.6 names the order in the memory of a little-endian computer: its badc is ABCD
    for place, order in enumerate(("badc", "dcba", "abcd", "cdab")):
        where = (c_uint16 * 2)()
        getattr(library, f"modbus_set_float_{order}")(123.456, where)
        held.tab_registers[2 * place], held.tab_registers[2 * place + 1] = where
    held.tab_registers[10] = 65536 - 5
    for n in range(32):
        held.tab_bits[n] = held.tab_input_bits[n] = n % 2
    for n in range(200):
        held.tab_input_registers[n] = 1000 + n
    return mapping


def answer(library: ctypes.CDLL, context: c_void_p, mapping: ctypes._Pointer[Mapping]) -> None:
    """Answer requests until the connection is lost."""
    query = (c_uint8 * LONGEST)()
    while (length := library.modbus_receive(context, query)) >= 0:
        if length > 0:  # 0: a request to another unit
            library.modbus_reply(context, query, length, mapping)


def main() -> None:
    library = load()
    mapping = fill(library)
    if sys.argv[1] == "rtu":
        context = c_void_p(library.modbus_new_rtu(sys.argv[2].encode(), 115200, b"N", 8, 1))
        library.modbus_set_slave(context, int(sys.argv[3]))
        assert library.modbus_connect(context) == 0
        print("ready", flush=True)
        answer(library, context, mapping)
        return
    context = c_void_p(library.modbus_new_tcp(b"127.0.0.1", int(sys.argv[2])))
    listener = c_int(library.modbus_tcp_listen(context, 1))
    while library.modbus_tcp_accept(context, ctypes.byref(listener)) >= 0:
        answer(library, context, mapping)
        library.modbus_close(context)


main()
