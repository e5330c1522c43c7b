"""Routes of a first run: look for machines, browse one, and draft what the files would say."""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app import discover, rewrite, search
from deungdae.app.auth import Role
from deungdae.core import strict
from deungdae.core.clock import to_iso
from deungdae.core.errors import Fault
from deungdae.core.ports import Node
from deungdae.core.types import Signal

from .context import Context, Here, Json, Who, needs, person
from .deeds import Deed
from .failure import WebError
from .files import FaultAnswer, on_disk, tell
from .jobs import Job, State
from .schema import answer

NODES = 50_000  # of one machine
PATIENCE = 180.0  # s that browsing one machine may take
SIGNALS = 20_000  # of one draft
LARGEST = {"/api/v1/drafts": 16_000_000}  # bytes of a request, by its path

# while we only look, nobody shall take us for the factory, nor keep anything for us
APART: Mapping[str, Mapping[str, object]] = {
    "sparkplug": {"host_id": "deungdae_search"},
    "mqtt": {"session": 0},
}

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.ENGINEER))]
)
Text = Annotated[str, Field(max_length=1000)]


class Question(Deed):
    """Where to look. range: addresses; ports: in place of those where protocols are at home.

    confirmed: also addresses that are not a house's own.
    """

    range: Annotated[str, Field(max_length=10_000)]
    types: Annotated[list[Literal[search.TYPES]], Field(min_length=1)]  # type: ignore[valid-type]
    ports: Text = ""
    confirmed: bool = False


class Place(BaseModel):
    """A machine as somebody describes it. settings: more options, as TOML; title: for people."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=100)]
    title: Text = ""
    type: Annotated[str, Field(max_length=100)]
    url: Text
    settings: Annotated[str, Field(max_length=10_000)] = ""


class Draft(BaseModel):
    """A machine with the signals that shall come from it, each by the names of its fields.

    A signal has `address`, in the machine's words, in place of `source`.
    """

    model_config = ConfigDict(extra="forbid")
    machine: Place
    signals: Annotated[list[dict[str, Text]], Field(max_length=SIGNALS)]


class FoundAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A door that answered. type: '' where it speaks nothing that was asked for.

    others: types that may fit too. machine: which of ours is at that address already, or ''.
    """

    address: str
    port: int
    type: str
    url: str
    name: str
    detail: str
    others: tuple[str, ...]
    machine: str


class SearchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far a search is, and what it found."""

    id: str
    state: State
    person: str
    since: str
    checked: int
    total: int
    found: list[FoundAnswer]


class NodeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine offers: its own words, and the signal that we propose for it.

    offered: the unit as the machine tells it; unit: as we propose it, in UCUM.
    """

    address: str
    path: str
    type: str
    value: str
    offered: str
    id: str
    name: str
    unit: str
    kind: str
    access: str
    low: float | None
    high: float | None


class BrowseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far browsing is. nodes: when it is done. more: there were more than we take."""

    id: str
    state: State
    count: int
    problem: str
    remedy: str
    more: bool
    nodes: list[NodeAnswer]


class DraftFault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong in a draft. row: of which signal, from 0; null: in the machine or the files."""

    row: int | None
    field: str
    fault: FaultAnswer


class DraftAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What would be written. before, after: texts of the files that change; versions: of those."""

    before: dict[str, str]
    after: dict[str, str]
    versions: dict[str, str]
    faults: list[DraftFault]


class Search(Job):
    """A search for machines."""

    def __init__(self, person: str, since: int, doors: Sequence[search.Door]) -> None:
        super().__init__(person, since)
        self.total = len(doors)
        self.checked = 0
        self.found: list[search.Found] = []
        self.start(search.search(doors, self._take))

    def _take(self, found: search.Found | None) -> None:
        self.checked += 1
        if found is not None:
            self.found.append(found)


class Browse(Job):
    """What one machine offers."""

    def __init__(self, person: str, since: int, name: str, driver: Any) -> None:
        super().__init__(person, since)
        self.nodes: list[Node] = []
        self.signals: list[Signal] = []
        self.more = False
        self.start(self._browse(name, driver))

    async def _browse(self, name: str, driver: Any) -> None:
        async with asyncio.timeout(PATIENCE), aclosing(discover.browse(driver)) as nodes:
            async for node in nodes:
                if len(self.nodes) >= NODES:
                    self.more = True
                    break
                self.nodes.append(node)
        self.signals = await asyncio.to_thread(discover.propose, name, self.nodes)


@router.post("/search", **answer(SearchAnswer, 409))
async def begin(here: Here, who: Who, question: Question) -> Json:
    """Look for machines on a range of addresses: politely, and without writing anything."""
    try:
        addresses = search.addresses(question.range)
        doors = search.doors(addresses, question.types, search.ports(question.ports))
    except ValueError as error:
        raise WebError(422, str(error)) from error
    if not search.is_private(addresses) and not question.confirmed:
        raise WebError(
            422,
            "these addresses are not only a house's own (10.x, 172.16-31.x, 192.168.x …)",
            "confirm that you may search there",
            "public",
        )
    here.jobs.check_free()
    name = person(who, question.person)
    data: dict[str, object] = {
        "range": question.range,
        "types": question.types,
        "ports": question.ports,
        "addresses": len(addresses),
    }
    await here.note("search", data, name)
    job = Search(name, here.runtime.clock.now(), doors)
    here.jobs.add(job)
    return Json(_searched(here, job))


@router.get("/search/{id}", **answer(SearchAnswer, 404))
async def follow(here: Here, id: str) -> Json:
    """Say how far a search is."""
    return Json(_searched(here, here.jobs.find(id, Search)))


@router.delete("/search/{id}", **answer(SearchAnswer, 404))
async def stop(here: Here, id: str) -> Json:
    """End a search; what it found stays."""
    job = here.jobs.find(id, Search)
    job.cancel()
    await asyncio.sleep(0)
    return Json(_searched(here, job))


@router.post("/browse", **answer(BrowseAnswer, 409))
async def browse(here: Here, who: Who, place: Place) -> Json:
    """Begin to list what a machine offers."""
    here.jobs.check_free()
    cls, table = _described(place)
    if not discover.NAME.match(place.name):
        raise WebError(422, f"{place.name!r} is no name", "small letters, digits and _ only")
    table = {**APART.get(place.type, {}), **table}
    driver = cls(place.name, discover.options(cls, table), here.runtime.clock)
    name = who.name if who else ""
    job = Browse(name, here.runtime.clock.now(), place.name, driver)
    here.jobs.add(job)
    return Json(_browsed(job))


@router.get("/browse/{id}", **answer(BrowseAnswer, 404))
async def listed(here: Here, id: str) -> Json:
    """Say how far browsing is; when it is done, what there is."""
    job = here.jobs.find(id, Browse)
    return Json(await here.runtime.clock.call(_browsed, job))


@router.delete("/browse/{id}", **answer(BrowseAnswer, 404))
async def leave(here: Here, id: str) -> Json:
    """End browsing."""
    job = here.jobs.find(id, Browse)
    job.cancel()
    await asyncio.sleep(0)
    return Json(_browsed(job))


@router.post("/drafts", **answer(DraftAnswer))
async def draft(here: Here, given: Draft) -> Json:
    """Say what the files would be with a machine and its signals, and what would be wrong."""
    cls, table = _described(given.machine)
    discover.options(cls, table)
    signals, faults = _signals(given)
    machine = discover.Machine(
        name=given.machine.name, type=given.machine.type, title=given.machine.title, table=table
    )
    path = here.runtime.factory.path
    found = await on_disk(here, rewrite.read)
    texts = {file.name: file.text for file in found.files}
    after = discover.add(texts, path.name, machine, signals)
    if not faults:
        wrong = await on_disk(here, lambda path: rewrite.check(path, after))
        faults = list(_placed(wrong, after, len(signals)))
    names = sorted(after)
    return Json(
        DraftAnswer(
            before={name: texts.get(name, "") for name in names},
            after=after,
            versions={name: found[name].version for name in names},
            faults=faults,
        )
    )


def _described(place: Place) -> tuple[Any, dict[str, object]]:
    """Return a driver's class and its table. Raises WebError."""
    try:
        cls = discover.load(place.type)
        more = tomllib.loads(place.settings)
    except tomllib.TOMLDecodeError as error:
        raise WebError(
            422, f"the settings are no TOML: {error}", "period = 2, one a line"
        ) from error
    except (ValueError, ImportError) as error:
        raise WebError(422, str(error)) from error
    return cls, {"url": place.url, **more}


def _signals(given: Draft) -> tuple[list[Signal], list[DraftFault]]:
    """Return the signals of a draft as far as they can be read, and what cannot."""
    signals, faults = [], []
    for row, fields in enumerate(given.signals):
        # one line each, as a spreadsheet has it
        cells = {key: " ".join(cell.split()) for key, cell in fields.items()}
        cells["source"] = f"{given.machine.name}:{cells.pop('address', '')}"
        filled = {key: cell for key, cell in cells.items() if cell}
        signal, problems = strict.decode(Signal, filled, text=True)
        if signal is not None:
            signals.append(signal)
        for each in problems:
            field = ".".join(map(str, each.key))
            fault = Fault(
                file="", key=field, value=each.value, problem=each.problem, remedy=each.remedy
            )
            faults.append(DraftFault(row=row, field=field, fault=tell(fault)))
    return signals, faults


def _placed(faults: Sequence[Fault], after: Mapping[str, str], count: int) -> Iterator[DraftFault]:
    """Yield each fault with the signal that it is about: they are the last ones of their file."""
    inline = max(len(_inline(text)) for text in after.values())
    for fault in faults:
        row = None
        listed = re.match(r"signals\[(\d+)\]", fault.key)
        if listed:
            row = int(listed[1]) - (inline - count)
        elif fault.file in after and fault.file.endswith(".csv") and fault.line:
            row = fault.line - 1 - (after[fault.file].count("\n") - count)
        row = row if row is not None and 0 <= row < count else None
        field = "" if row is None else fault.key.rpartition(".")[2]
        yield DraftFault(row=row, field=field, fault=tell(fault))


def _inline(text: str) -> Sequence[object]:
    """Return the signals that a factory file declares itself."""
    try:
        signals = tomllib.loads(text).get("signals", ())
    except tomllib.TOMLDecodeError:  # a table of signals, or a fault that is told
        return ()
    return signals if isinstance(signals, list) else ()


def _searched(here: Context, job: Search) -> SearchAnswer:
    ours = _ours(here)
    return SearchAnswer(
        id=job.id,
        state=job.state,
        person=job.person,
        since=to_iso(job.since),
        checked=job.checked,
        total=job.total,
        found=[
            FoundAnswer(
                **msgspec.structs.asdict(each), machine=ours.get((each.address, each.port), "")
            )
            for each in job.found
        ],
    )


def _ours(here: Context) -> dict[tuple[str, int], str]:
    """Return the names of our machines by address and port."""
    found = {}
    for name, plugin in here.runtime.factory.room("machines").items():
        try:
            url = urlsplit(str(getattr(plugin.options, "url", "")))
            default = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883, "opc.tcp": 4840}
            port = url.port or default.get(url.scheme, 0)
        except ValueError:
            continue
        found[url.hostname or "", port] = name
    return found


def _browsed(job: Browse) -> BrowseAnswer:
    pairs = zip(job.nodes, job.signals, strict=True) if job.state == "done" else ()
    return BrowseAnswer(
        id=job.id,
        state=job.state,
        count=len(job.nodes),
        problem=job.problem,
        remedy=job.remedy,
        more=job.more,
        nodes=[
            NodeAnswer(
                address=node.address,
                path=node.path,
                type=node.type,
                value=node.value[:200],
                offered=node.unit,
                id=signal.id,
                name=signal.name,
                unit=signal.unit,
                kind=signal.kind,
                access=signal.access,
                low=signal.low,
                high=signal.high,
            )
            for node, signal in pairs
        ],
    )
