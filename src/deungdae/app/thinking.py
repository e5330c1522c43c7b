"""Calls analyses and policies with the columns that they need, when they need them."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from deungdae.core.clock import Clock, SimulatedClock
from deungdae.core.errors import BadReply, FactoryError, Fault, NotEnoughData, StoreError
from deungdae.core.ports import (
    Analyser,
    Appointed,
    Events,
    Needs,
    Picture,
    Policy,
    Recalling,
    Remembering,
    Samples,
    Store,
    Window,
)
from deungdae.core.types import DAY, SECOND, Batch, Command, Event, Finding
from deungdae.model.factory import Factory, Plugin

from .album import Album, example, images_of
from .live import Live
from .offspring import end_with_parent

if TYPE_CHECKING:
    from .models import Models

Result = TypeVar("Result")

PATIENCE = 60.0  # s that a thinker in another process may take
HEAVY = 0.030  # s of CPU; what took longer last time is thought in another process, of 100 MB
SETTLED = 60.0  # s after the start at which the first twin is asked
TOLD = ("state", "text", "scan", "alarm", "order", "note")
IMAGES = (".png", ".jpg", ".jpeg")
PILE = 16  # images that may wait for a thinker; the newest are kept
IDLE = 20 * SECOND  # ns; when nobody is due for so long, the large other process is ended
OWN = 30 * DAY  # ns; so far back go the conclusions that a thinker is reminded of
AGAIN = 5.0  # s until a history that could not be read is asked again
EAGER = SECOND  # ns between calls of a thinker that has a history and no period of its own


class Thinker:
    """One analysis or policy with what is new for it, and how it fares."""

    def __init__(self, plugin: Plugin, factory: Factory, now: int) -> None:
        self.plugin = plugin
        self.factory = factory
        self.work: Analyser | Policy = plugin.cls(plugin.name, plugin.options, factory)
        self.needs: Needs = self.work.needs
        self.problem = ""
        self.seconds = 0.0  # of CPU that its last call took, wherever it was
        # a twin simulates: it begins when the start of everything else is over
        self.first = now + round(SETTLED * SECOND) if plugin.room == "twin" else 0
        self.busy = False  # it thinks in another process now, or is shown its past
        self.since = now  # end of the last window; what was before, only a history brings
        self.unseen: deque[Event] = deque()  # images that wait until it has looked at others
        self.missed = 0  # images that it never saw because they came too fast
        self.waiting: list[Window] = []  # news that came while it was shown its past
        self.lessons = deque(examples(plugin, factory))  # images that it is shown before all others
        self.log = logging.getLogger(f"deungdae.{plugin.room}.{plugin.name}")

    @property
    def heavy(self) -> bool:
        """Return whether a call would hold up the others; a twin simulates, so it always would."""
        return self.plugin.room == "twin" or self.seconds > HEAVY

    @property
    def call(self) -> Callable[[int, Window], Sequence[Any]]:
        """Return the method that thinks."""
        return self.work.decide if isinstance(self.work, Policy) else self.work.update

    def past(self, now: int) -> Iterator[tuple[int, int]]:
        """Return the stretches of the past that it learns from."""
        return iter(self.work.recall(now)) if isinstance(self.work, Recalling) else iter(())

    def still_fits(self, plugin: Plugin, factory: Factory) -> bool:
        """Return whether it would be made the same from that table of that factory."""
        mine = self.factory
        ids = (*self.needs.signals, *self.needs.events, *self.needs.images)
        files = [getattr(plugin.options, option) for option in getattr(plugin.cls, "files", ())]
        return (
            self.plugin.type == plugin.type
            and bool(self.plugin.options == plugin.options)
            and mine.calendar == factory.calendar
            and all(mine.signals.get(id) == factory.signals.get(id) for id in ids)
            and all(mine.texts.get(file) == factory.texts.get(file) for file in files)
        )

    def failed(self, error: Exception) -> None:
        """Remember that a call exploded; log it once with its trace."""
        problem = f"failed: {error!r}"
        if problem != self.problem:
            self.log.error("state=failed", exc_info=error)
        self.problem = problem

    def went(self, problem: str) -> None:
        """Remember the outcome of a call; log it once when it changes."""
        if problem != self.problem:
            self.log.info("state=%s", f"waiting reason={problem!r}" if problem else "working")
        self.problem = problem


class Thinking:
    """All thinkers of a factory. findings and commands: where conclusions and wishes go."""

    def __init__(
        self,
        store: Store,
        live: Live,
        clock: Clock,
        findings: Callable[[Sequence[Finding]], None],
        commands: Callable[[Sequence[Command]], None],
        models: Models | None = None,
    ) -> None:
        self.thinkers: dict[str, Thinker] = {}
        self._store = store
        self._live = live
        self._clock = clock
        self._findings = findings
        self._commands = commands
        self._models = models
        self._pool: ProcessPoolExecutor | None = None
        self._apart: set[asyncio.Task[None]] = set()
        self._album: Album | None = None

    def employ(self, factory: Factory) -> list[str]:
        """Take the thinkers of a factory; return which changed, in words.

        Those for which nothing changed keep what they know. New ones are shown the past that they
        ask for; else those that wait for what is new are shown what is known now: a source that
        tells changes only may say nothing for long.
        """
        before = self.thinkers
        self._album = Album(factory)
        self.thinkers = {}
        fresh: list[Thinker] = []
        for room in ("insight", "decide", "twin"):
            for name, plugin in factory.room(room).items():
                if not is_thinker(plugin):
                    continue
                key = f"{room}.{name}"
                old = before.get(key)
                if old is None or not old.still_fits(plugin, factory):
                    old = Thinker(plugin, factory, self._clock.now())
                    fresh.append(old)
                self.thinkers[key] = old
        for thinker in fresh:
            past = thinker.past(thinker.since)
            first = next(past, None)
            if thinker.needs.images:
                self._show(thinker, ())
            elif first is not None or isinstance(thinker.work, Remembering):
                thinker.busy = True
                stretches = past if first is None else chain([first], past)
                self._keep(asyncio.create_task(self._recall(thinker, stretches)))
            elif waits_for_news(thinker.needs):
                self._introduce(thinker)
        changed = {f"{thinker.plugin.room}.{thinker.plugin.name}" for thinker in fresh}
        return [
            *(f"{key} {'changed' if key in before else 'added'}" for key in sorted(changed)),
            *(f"{key} removed" for key in sorted(before.keys() - self.thinkers.keys())),
        ]

    def _introduce(self, thinker: Thinker) -> None:
        """Show a thinker the newest value of each signal that it needs."""
        known = {id: self._live.reading(id) for id in thinker.needs.signals}
        samples = {
            id: Samples(
                np.array([found.time]), np.array([found.value]), np.array([found.status], np.uint8)
            )
            for id, found in known.items()
            if found is not None
        }
        events = {
            id: (self._live.events[id],) for id in thinker.needs.events if id in self._live.events
        }
        if samples or events:
            self._think(thinker, Window(thinker.since, self._clock.now(), samples, events))

    async def _recall(self, thinker: Thinker, past: Iterable[tuple[int, int]]) -> None:
        """Show a thinker what was, then what came meanwhile; of the past nothing is told anew."""
        try:
            for start, end in past:
                if thinker in self.thinkers.values():
                    await self._show_past(thinker, start, end)
            await self._remind(thinker)
        finally:
            thinker.busy = False
        for window in thinker.waiting:
            self._think(thinker, window)
        thinker.waiting.clear()

    async def _remind(self, thinker: Thinker) -> None:
        """Give a thinker that goes on from its own last conclusions those of before its start."""
        if not isinstance(thinker.work, Remembering):
            return
        since = thinker.since
        own = partial(self._store.findings, since - OWN, since, origin=thinker.plugin.name)
        thinker.work.remember(await self._read(thinker, own))

    async def _read(self, thinker: Thinker, ask: Callable[[], Result]) -> Result:
        """Return what the history answers, asked again until it can be read."""
        while True:
            try:
                return await self._clock.call(ask)
            except StoreError as error:
                thinker.went(str(error))
                await self._clock.sleep(AGAIN)

    async def _show_past(self, thinker: Thinker, start: int, end: int) -> None:
        window = await self._read(thinker, partial(self._window, thinker.needs, start, end))
        try:
            await self._clock.call(thinker.call, end, window)
        except NotEnoughData as error:
            thinker.problem = str(error)  # until the last stretch: not a line in the log for each
        except Exception as error:  # noqa: BLE001 — a plug-in's fault must not stop others
            thinker.failed(error)
        else:
            thinker.problem = ""

    def hear(self, item: Batch | Events) -> None:
        """Call the thinkers that wait for what is new, with it."""
        for thinker in self.thinkers.values():
            if thinker.needs.images:
                if isinstance(item, tuple):
                    self._show(thinker, images_of(item, thinker.needs.images))
            elif waits_for_news(thinker.needs):
                window = self._news(thinker, item)
                if window is not None and thinker.busy:
                    thinker.waiting.append(window)
                elif window is not None:
                    self._think(thinker, window)

    def _show(self, thinker: Thinker, images: Sequence[Event]) -> None:
        """Let a thinker see images one after the other, beside everything else."""
        thinker.unseen += images
        while len(thinker.unseen) > PILE:
            thinker.unseen.popleft()
            thinker.missed += 1
        if (thinker.unseen or thinker.lessons) and not thinker.busy:
            thinker.busy = True
            self._keep(asyncio.create_task(self._look(thinker)))

    async def _look(self, thinker: Thinker) -> None:
        album = self._album
        try:
            while thinker.lessons:
                await self._teach(thinker, thinker.lessons.popleft())
            while thinker.unseen and album is not None:
                event = thinker.unseen.popleft()
                try:
                    picture = await self._clock.call(album.picture, event)
                    results = await self._see(thinker, event.id, picture)
                except (BadReply, NotEnoughData) as error:
                    thinker.went(str(error))
                except Exception as error:  # noqa: BLE001 — a plug-in's fault must not stop others
                    thinker.failed(error)
                else:
                    self._deliver(thinker, results)
        finally:
            thinker.busy = False

    async def _teach(self, thinker: Thinker, file: Path) -> None:
        """Show a thinker an example; what it concludes from it is about no part of this factory."""
        try:
            picture = await self._clock.call(example, file)
            await self._see(thinker, thinker.needs.images[0], picture)
        except NotEnoughData as error:
            thinker.problem = str(error)  # until the last example: not a line in the log for each
        except BadReply as error:
            thinker.went(str(error))
        except Exception as error:  # noqa: BLE001 — a plug-in's fault must not stop others
            thinker.failed(error)

    async def _see(self, thinker: Thinker, id: str, picture: Picture) -> Sequence[Any]:
        models = await self._clock.call(self._appointed, thinker)
        window = Window(picture.time, self._clock.now(), images={id: (picture,)}, models=models)
        return await self._clock.call(thinker.call, window.end, window)

    def _appointed(self, thinker: Thinker) -> dict[str, tuple[Appointed, ...]]:
        models = self._models
        return {n: models.appointed(n) for n in thinker.needs.models} if models is not None else {}

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._apart.add(task)
        task.add_done_callback(self._apart.discard)

    async def run(self) -> None:
        """Call the thinkers that have a period, until cancelled."""
        due: dict[str, int] = {}
        try:
            while True:
                now = self._clock.now()
                for key, thinker in list(self.thinkers.items()):
                    period = thinker.needs.every or (EAGER if thinker.needs.history else 0)
                    if period and now >= due.get(key, thinker.first) and not thinker.busy:
                        due[key] = (now // period + 1) * period
                        await self._think_back(thinker, now)
                if self._pool and not self._apart and not self._needs_pool(due):
                    self._end_pool()
                await self._clock.sleep(self._pause(due))
        finally:
            for task in self._apart:
                task.cancel()
            self._end_pool()

    def _needs_pool(self, due: Mapping[str, int]) -> bool:
        """Return whether somebody will soon think in the other process."""
        soon = self._clock.now() + IDLE
        return any(
            thinker.heavy and thinker.needs.history and due.get(key, soon) < soon
            for key, thinker in self.thinkers.items()
        )

    def _pause(self, due: dict[str, int]) -> float:
        next_due = min((due[key] for key in self.thinkers if key in due), default=0)
        wait = (next_due - self._clock.now()) / SECOND
        return min(max(wait, 0.001), 1.0) if next_due else 1.0

    def _news(self, thinker: Thinker, item: Batch | Events) -> Window | None:
        """Return the part of the item that the thinker needs, or None."""
        now = self._clock.now()
        if isinstance(item, tuple):
            wanted = [event for event in item if event.id in thinker.needs.events]
            if not wanted:
                return None
            events = {id: tuple(e for e in wanted if e.id == id) for id in {e.id for e in wanted}}
            return Window(thinker.since, now, {}, events)
        samples = {}
        for id in thinker.needs.signals:
            rows = item.signal == self._live.handles.get(id, -1)
            if rows.any():
                samples[id] = Samples(item.time[rows], item.value[rows], item.status[rows])
        return Window(thinker.since, now, samples, {}) if samples else None

    async def _think_back(self, thinker: Thinker, now: int) -> None:
        """Call a thinker with its history from the store."""
        start = now - thinker.needs.history if thinker.needs.history else thinker.since
        try:
            window = await self._clock.call(self._window, thinker.needs, start, now)
        except StoreError as error:
            thinker.went(str(error))
            return
        # only who looks back keeps nothing between calls, and so may think anywhere
        stateless = thinker.needs.history > 0
        if stateless and thinker.heavy and not isinstance(self._clock, SimulatedClock):
            thinker.busy = True
            self._keep(asyncio.create_task(self._think_apart(thinker, window)))
        else:
            self._think(thinker, window)

    def _window(self, needs: Needs, start: int, end: int) -> Window:
        samples = self._store.query(needs.signals, start, end, before=True) if needs.signals else {}
        events = []
        if needs.events:
            # gaps apart: the last event before start is asked of the states, not of the gaps
            told = self._store.events(start, end, ids=needs.events, kinds=TOLD, before=True)
            gaps = self._store.events(start, end, ids=needs.events, kinds=["gap"], before=True)
            events = sorted([*gaps, *told], key=lambda event: event.time)
        by_id = {id: tuple(e for e in events if e.id == id) for id in needs.events}
        return Window(start, end, samples, by_id)

    def _think(self, thinker: Thinker, window: Window) -> None:
        begun = time.thread_time()
        try:
            results = thinker.call(window.end, window)
        except NotEnoughData as error:
            thinker.went(str(error))
        except Exception as error:  # noqa: BLE001 — a plug-in's fault must not stop the others
            thinker.failed(error)
        else:
            self._deliver(thinker, results)
        thinker.seconds = time.thread_time() - begun
        thinker.since = window.end

    async def _think_apart(self, thinker: Thinker, window: Window) -> None:
        """Let a heavy thinker with history think in another process, beside the others."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=end_with_parent)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE):
                results, thinker.seconds = await loop.run_in_executor(
                    self._pool, think, thinker.work, window.end, window
                )
        except NotEnoughData as error:
            thinker.went(str(error))
        except Exception as error:  # noqa: BLE001 — a plug-in's fault must not stop the others
            thinker.failed(error)
            self._end_pool()
        else:
            self._deliver(thinker, results)
        thinker.since = window.end
        thinker.busy = False

    def _end_pool(self) -> None:
        """End the other process, also one that hangs; the next heavy call makes it anew."""
        pool, self._pool = self._pool, None
        if pool is not None:
            for process in list(pool._processes.values()):  # the pool itself would wait for ever
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)

    def _deliver(self, thinker: Thinker, results: Sequence[Any]) -> None:
        thinker.went("")
        if not results:
            return
        if isinstance(thinker.work, Policy):
            self._commands(results)
        else:
            self._findings(results)
            self._tell(results)

    def _tell(self, findings: Sequence[Finding]) -> None:
        """Call those who wait for what others conclude."""
        for thinker in self.thinkers.values():
            wanted = tuple(each for each in findings if each.origin in thinker.needs.findings)
            if wanted:
                since = thinker.since  # what it needs besides, it was not given: that comes later
                self._think(thinker, Window(since, self._clock.now(), findings=wanted))
                thinker.since = since


def examples(plugin: Plugin, factory: Factory) -> list[Path]:
    """Return the images that a thinker learns from, of the folders that its table names.

    Which of its options name folders the plug-in says in `examples`. Raises FactoryError.
    """
    found: list[Path] = []
    for option in getattr(plugin.cls, "examples", ()):
        name = getattr(plugin.options, option)
        folder = factory.path.parent / name
        files = sorted(path for path in folder.glob("*") if path.suffix.lower() in IMAGES)
        if name and not files:
            key, problem = f"{plugin.room}.{plugin.name}.{option}", "holds no PNG or JPEG"
            remedy = "put images into a folder of that name beside factory.toml"
            fault = Fault(file=str(factory.path), line=plugin.line, key=key, value=name,
                          problem=problem, remedy=remedy)  # fmt: skip
            raise FactoryError([fault])
        found += files if name else []
    return found


def think(work: Analyser | Policy, now: int, window: Window) -> tuple[Sequence[Any], float]:
    """Return what a thinker makes of a window, and the seconds of CPU that it took.

    The one function that other processes run. A first call is slow, since it imports: told of the
    next ones, they let it come back.
    """
    begun = time.thread_time()
    results = work.decide(now, window) if isinstance(work, Policy) else work.update(now, window)
    return results, time.thread_time() - begun


def waits_for_news(needs: Needs) -> bool:
    """Return whether a thinker is to be called as samples and events come."""
    return needs.every == 0 and needs.history == 0


def is_thinker(plugin: Plugin) -> bool:
    """Return whether a plug-in analyses or decides, and so is called with windows."""
    return any(hasattr(plugin.cls, method) for method in ("update", "decide"))
