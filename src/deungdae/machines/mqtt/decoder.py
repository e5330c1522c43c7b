"""Groups of messages -> one Batch and the Events: routes by topic, JSON and CSV, times, scaling."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from deungdae.core.types import SECOND, Batch, Event, Flag, Severity, Signal
from deungdae.core.units import scaling
from deungdae.wires.mqtt.codec import Message, matches

from .address import Address, AddressError, Getter, Path, getter, parse, spell
from .moment import moment, scaled

_TOPICS = 200_000  # routes remembered: a broker full of nonsense must not fill the memory
_RECEIVED = int(Flag.RECEIVED_TIME)
_SUSPECT = int(Flag.CLOCK_SUSPECT)
_UNSURE = int(Severity.UNCERTAIN) | _RECEIVED
_BAD = int(Severity.BAD)
_NAN = float("nan")
_LATEST = 2**63
_WORDS = {"true": 1.0, "false": 0.0, "on": 1.0, "off": 0.0}
_json = msgspec.json.Decoder().decode
_WRONG = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Reader:
    """One signal's way from a payload to its value. fault: why its last value was bad, or ''."""

    def __init__(self, slot: int, signal: Signal, address: Address, columns: Sequence[str]) -> None:
        table = address.payload == "csv"
        self.slot = slot
        self.signal = signal
        self.address = address
        self.number = signal.kind == "number"
        self.bare = self.number and not address.epoch
        self.value = getter(_column(address.path, columns) if table else address.path)
        self.time: Getter | None = None
        if address.time is not None:
            self.time = getter(_column(address.time, columns) if table else address.time)
        self.seen = False
        self.fault = ""
        self.state: tuple[str, int] | None = None


class Route(msgspec.Struct, frozen=True):
    """Who reads a topic: in JSON, and in CSV."""

    json: tuple[Reader, ...]
    csv: tuple[Reader, ...]


class Decoder:
    """Turns messages into samples and events of the given signals.

    Never raises for what a message holds: a bad one gives bad status to its own signals, and
    `problems` says why, until the next good one. Raises AddressError for an address.
    """

    def __init__(
        self,
        signals: Mapping[int, Signal],
        *,
        payload: Literal["json", "csv"] = "json",
        delimiter: str = ",",
        columns: Sequence[str] = (),
    ) -> None:
        self.malformed = 0
        self.refused = 0
        self._delimiter = delimiter
        self._received = 0
        self._handles = np.fromiter(signals, np.int32, len(signals))
        scales = [scaling(signal) for signal in signals.values()]
        self._gain = np.array([scale.gain for scale in scales])
        self._bias = np.array([scale.bias for scale in scales])
        self._readers = []
        for slot, signal in enumerate(signals.values()):
            address = parse(signal.address)
            if not address.payload:
                address = msgspec.structs.replace(address, payload=payload)
            self._readers.append(Reader(slot, signal, address, columns))
        self._exact: dict[bytes, list[Reader]] = {}
        self._wild: list[Reader] = []
        for reader in self._readers:
            if set(reader.address.filter) & set("+#"):
                self._wild.append(reader)
            else:
                self._exact.setdefault(reader.address.filter.encode(), []).append(reader)
        self._routes: dict[bytes, Route] = {}
        self._slot: list[int] = []
        self._time: list[int] = []
        self._value: list[float] = []
        self._status: list[int] = []
        self._events: list[Event] = []

    @property
    def filters(self) -> list[str]:
        """Return the topic filters that the signals need, each once."""
        return list(dict.fromkeys(reader.address.filter for reader in self._readers))

    @property
    def problems(self) -> dict[str, str]:
        """Return what is wrong with each signal whose last value was bad, by id."""
        return {reader.signal.id: reader.fault for reader in self._readers if reader.fault}

    def decode(
        self, messages: Sequence[Message], now: int
    ) -> tuple[Batch | None, tuple[Event, ...]]:
        """Return what the messages say; None when they hold no sample. now: ns since 1970."""
        first = self._moment(now, len(messages))
        routes = self._routes
        for received, message in enumerate(messages, first):
            route = routes.get(message.topic) or self._route(message.topic)
            if message.refused:
                self._refuse(route, message, received)
                continue
            if route.json:
                try:
                    content = _json(message.payload)
                except _WRONG as error:
                    self._odd(route.json, message, error, received)
                else:
                    for reader in route.json:
                        self._read(reader, content, received, message.retained)
            if route.csv:
                self._table(route.csv, message, received)
        return self._collect(first + len(messages) - 1)

    def missed(self, filters: Iterable[str], fault: str, now: int) -> Batch | None:
        """Return bad status for the signals that come by these filters: nothing will arrive."""
        wanted = set(filters)
        for reader in self._readers:
            if reader.address.filter in wanted:
                self._bad(reader, fault, now)
        return self._collect(now)[0]

    def _moment(self, now: int, count: int) -> int:
        """Return a receive time for the first of so many messages, each 1 ns after the other.

        Samples without a time of their own must not fall on one moment: only one would be kept.
        """
        if 0 <= self._received - now < SECOND:  # beyond that, the clock was set back
            now = self._received
        self._received = now + count
        return now

    def _collect(self, received: int) -> tuple[Batch | None, tuple[Event, ...]]:
        events, self._events = tuple(self._events), []
        if not self._slot:
            return None, events
        slot = np.array(self._slot, np.intp)
        value = np.array(self._value, np.float64)
        status = np.array(self._status, np.uint8)
        status[~np.isfinite(value)] |= np.uint8(_BAD)
        value = value * self._gain[slot] + self._bias[slot]
        time = scaled(np.array(self._time, np.int64))
        self._slot, self._time, self._value, self._status = [], [], [], []
        return Batch(self._handles[slot], time, value, status, received), events

    def _route(self, topic: bytes) -> Route:
        """Return who reads a topic, and remember it."""
        text = topic.decode("utf-8", "replace")
        readers = self._exact.get(topic, []) + [
            reader for reader in self._wild if matches(reader.address.filter, text)
        ]
        if len(self._routes) >= _TOPICS:
            self._routes.clear()
        route = self._routes[topic] = Route(
            tuple(reader for reader in readers if reader.address.payload == "json"),
            tuple(reader for reader in readers if reader.address.payload == "csv"),
        )
        return route

    def _read(self, reader: Reader, content: Any, received: int, retained: bool) -> None:
        try:
            raw = reader.value(content)
        except (LookupError, TypeError, AttributeError):
            self._miss(reader, received)
            return
        if reader.time is None:
            time, status = received, _UNSURE if retained else _RECEIVED
        else:
            time, status = _when(reader, reader.time, content, received)
        if not reader.number:
            self._event(reader, raw, time, status, received)
            return
        value = raw if type(raw) is float else _number(raw)
        if value - value != 0 or status & _SUSPECT or not reader.seen or reader.fault:
            reader.seen = True
            reader.fault = _fault(reader, raw, value, status)
        self._slot.append(reader.slot)
        self._time.append(time)
        self._value.append(value)
        self._status.append(status)

    def _event(self, reader: Reader, raw: object, time: int, status: int, received: int) -> None:
        """Note a state when it changes, a scan, a text or an alarm each time."""
        kind = reader.signal.kind
        assert kind != "number"
        if raw is None:
            status |= _BAD
        text = raw if isinstance(raw, str) else msgspec.json.encode(raw).decode()
        reader.seen, reader.fault = True, "the value is null" if raw is None else ""
        if kind == "state" and reader.state == (text, status):
            return
        reader.state = (text, status)
        self._events.append(
            Event(
                id=reader.signal.id, time=time, kind=kind, value=text, status=status,
                received=received,
            )
        )  # fmt: skip

    def _table(self, readers: Sequence[Reader], message: Message, received: int) -> None:
        """Read CSV: every line is one reading of all its columns."""
        try:
            lines = message.payload.decode().splitlines()
            rows = [row for row in csv.reader(lines, delimiter=self._delimiter) if row]
        except (UnicodeDecodeError, csv.Error) as error:
            rows = []
            reason = str(error)
        else:
            reason = "the payload is empty"
        if not rows:
            self._malform(readers, f"the payload is not CSV: {reason}", received)
        for row in rows:
            for reader in readers:
                self._read(reader, row, received, message.retained)

    def _odd(
        self, readers: Sequence[Reader], message: Message, error: Exception, received: int
    ) -> None:
        """Read bare words such as RUNNING, which devices send though they are no JSON."""
        plain = [reader for reader in readers if not reader.address.path]
        text = _bare(message.payload) if plain else None
        for reader in plain if text is not None else ():
            self._read(reader, text, received, message.retained)
        rest = readers if text is None else [r for r in readers if r.address.path]
        if rest:
            self._malform(rest, f"the payload is not JSON: {error}", received)

    def _malform(self, readers: Sequence[Reader], fault: str, received: int) -> None:
        self.malformed += 1
        for reader in readers:
            self._bad(reader, fault, received)

    def _refuse(self, route: Route, message: Message, received: int) -> None:
        self.refused += 1
        topic = message.topic.decode("utf-8", "replace")
        for reader in (*route.json, *route.csv):
            fault = f"a message of {message.size} bytes on {topic} is over message_limit"
            self._bad(reader, fault, received)
            self._events.append(
                Event(
                    id=reader.signal.id, time=received, kind="gap", value=fault,
                    status=_BAD, received=received, data={"until": str(received)},
                )
            )  # fmt: skip

    def _miss(self, reader: Reader, received: int) -> None:
        """A path that once held a value may be absent: devices send what changed."""
        if not reader.seen and not reader.fault:
            where = spell(reader.address.path)
            self._bad(
                reader, f"the messages on {reader.address.filter} hold nothing at {where}", received
            )

    def _bad(self, reader: Reader, fault: str, received: int) -> None:
        reader.fault = fault
        if reader.number:
            self._slot.append(reader.slot)
            self._time.append(received)
            self._value.append(_NAN)
            self._status.append(_BAD | _RECEIVED)


def _when(reader: Reader, get: Getter, content: Any, received: int) -> tuple[int, int]:
    """Return the time that a payload states (not yet `scaled`), and the status it deserves."""
    try:
        raw = get(content)
    except (LookupError, TypeError, AttributeError):
        return received, _RECEIVED | _SUSPECT
    if type(raw) is int and reader.bare and 0 < raw < _LATEST:
        return raw, 0
    time = moment(raw, reader.address.epoch)
    return (received, _RECEIVED | _SUSPECT) if time is None else (time, 0)


def _fault(reader: Reader, raw: object, value: float, status: int) -> str:
    if value - value != 0:
        return f"{_short(raw)} is not a number"
    return f"no time can be read by {reader.signal.address}" if status & _SUSPECT else ""


def _number(raw: object) -> float:
    """Return a number from what JSON or CSV holds, NaN where it is none."""
    try:
        if isinstance(raw, int):  # also true and false
            return float(raw)
        if isinstance(raw, str):
            return _WORDS[raw.lower()] if raw.lower() in _WORDS else float(raw)
    except (ValueError, OverflowError):
        pass
    return _NAN


def _bare(payload: bytes) -> str | None:
    """Return a payload that is one short line of text, or None."""
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError:
        return None
    return text if 0 < len(text) <= 256 and text.isprintable() and text[0] not in '{["' else None


def _column(path: Path, columns: Sequence[str]) -> Path:
    """Return the path to a column of a row: by number, or by a name out of the options."""
    if not path:
        return (0,)
    if len(path) == 1 and isinstance(path[0], int):
        return path
    if len(path) == 1 and isinstance(path[0], str):
        if path[0] in columns:
            return (list(columns).index(path[0]),)
        if path[0].isdecimal():
            return (int(path[0]),)
    known = ", ".join(columns) or "none; set columns"
    raise AddressError(f"{spell(path)!r} is no column: give its number from 0, or a name ({known})")


def _short(raw: object) -> str:
    text = repr(raw)
    return text if len(text) <= 40 else text[:39] + "…"
