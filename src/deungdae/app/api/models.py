"""What inspections have learnt: their models, how good each is, and training the next one."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends
from pydantic import Field

from deungdae.app import teaching
from deungdae.app.auth import Role
from deungdae.app.datasets import SETS, Shelf
from deungdae.app.datasets.make import Line
from deungdae.app.models import Models
from deungdae.app.thinking import examples
from deungdae.core.clock import to_iso
from deungdae.core.errors import NotEnoughData, Refused
from deungdae.insight.vision.labels import LABEL, labels
from deungdae.learn.compare import Contest
from deungdae.learn.inspection import Lesson
from deungdae.learn.measure import Interval
from deungdae.learn.registry import Card, Move, Promised, Stage, Standing, Tampered, Trial

from .context import Context, Here, Json, Who, needs, person
from .deeds import Deed
from .failure import WebError
from .jobs import Job, State
from .schema import answer

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)
engineers = [Depends(needs(Role.ENGINEER))]


class ModelVersionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a model. stage: '' where it is not in use. See learn.registry.Card.

    held_out: parts on which the figures rest, held_bad of them bad; None where nobody counted.
    escape, false_reject: shares that were asked for; promised: those that the limits hold.
    """

    version: str
    stage: str
    method: str
    dataset: str
    images: int
    bad: int
    held_out: int
    held_bad: int | None
    trained: str
    seconds: float
    accept: float
    reject: float
    escape: float
    false_reject: float
    promised: Promised | None
    metrics: dict[str, Interval]
    compared: Contest | None
    tried: tuple[Trial, ...]
    limits: tuple[str, ...]


class TrainingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far a training is. what: it does now; share: done, 0 to 1; version: its result."""

    id: str
    state: State
    person: str
    since: str
    what: str
    share: float
    version: str
    problem: str
    remedy: str


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The model of an inspection. name: of both. versions: newest first. before: to go back to.

    good, bad: parts that people labelled so in the days that it learns from.
    problem: why its versions cannot be read, or ''.
    """

    name: str
    signal: str
    acting: str
    stage: str
    shadow: str
    before: str
    good: int
    bad: int
    versions: list[ModelVersionAnswer]
    training: TrainingAnswer | None
    problem: str


class Curriculum(Deed):
    """How a model is trained."""

    seconds: float = Field(600.0, ge=10, le=7200, description="s that it may take, about")
    escape: float = Field(0.05, gt=0, lt=0.5, description="share of bad parts that may pass")
    false_reject: float = Field(0.02, gt=0, lt=0.5, description="of good parts to be rejected")


class Appointment(Deed):
    """What a version shall do from now on; without a version: the model is taken out of use."""

    version: Annotated[str, Field(pattern="^([0-9a-f]{12})?$")]
    stage: Literal["shadow", "advise", "decide", ""]
    because: str = Field("", max_length=1000)


class Training(Job):
    """A model that is being trained."""

    def __init__(self, person: str, since: int, name: str) -> None:
        super().__init__(person, since)
        self.name = name
        self.what = ""
        self.share = 0.0
        self.version = ""

    def tell(self, what: str, share: float) -> None:
        """Remember how far it is."""
        self.what, self.share = what, share

    async def learn(self, here: Context, models: Models, signal: str, asked: Curriculum) -> None:
        """Cut what there is to learn from, train, keep what came out, and let it watch."""
        call, now = here.runtime.clock.call, here.runtime.clock.now()
        shelf = Shelf(models.folder.parent / SETS, here.runtime.clock)
        line = Line(here.store, here.runtime.factory)
        self.tell("collecting images", 0.0)
        golden = await call(_golden, here, self.name)
        sets = await call(teaching.cut, shelf, line, self.name, signal, self.person)
        acting = [m for m in await call(models.appointed, self.name) if m.stage != "shadow"]
        lesson = Lesson(
            name=self.name,
            dataset=", ".join(sets),
            seconds=asked.seconds,
            escape=asked.escape,
            false_reject=asked.false_reject,
            now=now,
        )
        course = teaching.Course(
            lesson=lesson,
            shelf=shelf.folder,
            sets=sets,
            acting=acting[0] if acting else None,
            golden=golden,
        )
        card, content = await teaching.attend(course, self.tell)
        card = await call(models.add, card, content)
        for each in sets:
            await call(_note_use, shelf, each, self.person, card)
        cards = await call(models.cards, self.name)
        await call(teaching.tidy, shelf, self.name, cards, self.person)
        # where nothing new was to be learnt, the same came out: it goes on judging
        if (await call(models.standing, self.name)).acting != card.version:
            await self._let_watch(here, models, card)
        self.version, self.share = card.version, 1.0

    async def _let_watch(self, here: Context, models: Models, card: Card) -> None:
        """Set a new version into the shadow."""
        move = Move(
            version=card.version,
            stage="shadow",
            person=self.person,
            time=here.runtime.clock.now(),
            because=f"trained from {card.images} images",
        )
        await here.runtime.clock.call(models.move, self.name, move)
        await here.note("model", msgspec.to_builtins(move) | {"name": self.name}, self.person)


@router.get("/models", **answer(list[ModelAnswer]))
async def all_models(here: Here) -> Json:
    """Return the models of all inspections."""
    found = []
    for name, signal in _inspections(here).items():
        found.append(await here.runtime.clock.call(_tell, here, name, signal))
    return Json(found)


@router.post("/models/{name}/train", dependencies=engineers, **answer(TrainingAnswer, 404, 409))
async def train(here: Here, who: Who, name: str, asked: Curriculum) -> Json:
    """Begin to train the next version, beside the running factory; it will only watch at first."""
    signal, models = signal_of(here, name), models_of(here)
    running = _training(here, name)
    if running is not None and running.state == "running":
        raise WebError(409, f"{name} is being trained", "wait, or stop it", "busy")
    here.jobs.check_free()
    job = Training(person(who, asked.person), here.runtime.clock.now(), name)
    here.jobs.add(job)
    job.start(job.learn(here, models, signal, asked))
    return Json(_job(job))


@router.delete("/models/{name}/train", dependencies=engineers, **answer(TrainingAnswer, 404))
async def stop(here: Here, name: str) -> Json:
    """End the training; nothing of it is kept."""
    signal_of(here, name)
    job = _training(here, name)
    if job is None:
        raise WebError(404, f"{name} is not being trained")
    job.cancel()
    return Json(_job(job))


@router.post("/models/{name}/stage", dependencies=engineers, **answer(ModelAnswer, 404, 409))
async def appoint(here: Here, who: Who, name: str, asked: Appointment) -> Json:
    """Let a version watch, advise or decide; what judged before it can be gone back to."""
    signal, models = signal_of(here, name), models_of(here)
    stage: Stage | Literal[""] = asked.stage if asked.version else ""
    move = Move(
        version=asked.version,
        stage=stage,
        person=person(who, asked.person),
        time=here.runtime.clock.now(),
        because=asked.because,
    )
    try:
        await here.runtime.clock.call(models.move, name, move)
    except LookupError as error:
        raise WebError(404, str(error)) from error
    except Tampered as error:
        raise WebError(409, str(error), "train it anew", "tampered") from error
    except Refused as error:
        raise WebError(409, error.reason, "", error.rule) from error
    await here.note("model", msgspec.to_builtins(move) | {"name": name}, move.person)
    return Json(await here.runtime.clock.call(_tell, here, name, signal))


def _inspections(here: Context) -> dict[str, str]:
    """Return the signal of each analysis that can have a model."""
    return {
        name: plugin.options.signal
        for name, plugin in here.runtime.factory.room("insight").items()
        if plugin.type in ("vision", "golden")
    }


def signal_of(here: Context, name: str) -> str:
    """Return the signal of an inspection's images. Raises WebError."""
    found = _inspections(here)
    if name not in found:
        raise WebError(404, f"no inspection is called {name}", f"known: {', '.join(found) or '-'}")
    return found[name]


def _golden(here: Context, name: str) -> bytes:
    """Return the file of an inspection's golden image, b"" for one that needs none.

    Raises NotEnoughData where it compares with whatever its camera took first.
    """
    factory = here.runtime.factory
    plugin = factory.room("insight")[name]
    if plugin.type != "golden":
        return b""
    files = examples(plugin, factory)
    if not files:
        raise NotEnoughData(
            "nobody has said which image is the golden one: put it into a folder beside "
            "factory.toml, and name that under `golden`"
        )
    return files[0].read_bytes()


def models_of(here: Context) -> Models:
    """Return the models of this process. Raises WebError."""
    models = here.runtime.models
    if models is None:
        raise WebError(404, "this process has no models", "ask where the history is kept")
    return models


def _note_use(shelf: Shelf, asked: str, who: str, card: Card) -> None:
    shelf.use(shelf.card(asked), who, f"training of {card.name}", model=card.version)


def _training(here: Context, name: str) -> Training | None:
    found = [j for j in here.jobs.all(Training) if j.name == name]
    return found[-1] if found else None


def _tell(here: Context, name: str, signal: str) -> ModelAnswer:
    models, problem = here.runtime.models, ""
    job = _training(here, name)
    training = _job(job) if job is not None else None  # first: what it made is kept by then
    cards: list[Card] = []
    try:
        cards = models.cards(name) if models is not None else []
    except (Tampered, LookupError) as error:
        problem = str(error)
    now = models.standing(name) if models is not None else Standing()
    since = here.runtime.clock.now() - teaching.REACH
    events = here.store.events(since, here.runtime.clock.now() + 1, ids=[f"{signal}.{LABEL}"])
    said = [label.verdict for label in labels(events).values()]
    stages = {now.acting: now.stage} | ({now.shadow: "shadow"} if now.shadow else {})
    return ModelAnswer(
        name=name,
        signal=signal,
        acting=now.acting,
        stage=now.stage,
        shadow=now.shadow,
        before=now.before,
        good=said.count("good"),
        bad=said.count("reject"),
        versions=[_version(card, stages.get(card.version, "")) for card in reversed(cards)],
        training=training,
        problem=problem,
    )


def _version(card: Card, stage: str) -> ModelVersionAnswer:
    return ModelVersionAnswer(
        version=card.version,
        stage=stage,
        method=card.method,
        dataset=card.dataset,
        images=card.images,
        bad=card.bad,
        held_out=card.held_out,
        held_bad=card.held_bad,
        trained=to_iso(card.trained),
        seconds=card.seconds,
        accept=card.accept,
        reject=card.reject,
        escape=card.escape,
        false_reject=card.false_reject,
        promised=card.promised,
        metrics=card.metrics,
        compared=card.compared,
        tried=card.tried,
        limits=card.limits,
    )


def _job(job: Training) -> TrainingAnswer:
    return TrainingAnswer(
        id=job.id,
        state=job.state,
        person=job.person,
        since=to_iso(job.since),
        what=job.what,
        share=job.share,
        version=job.version,
        problem=job.problem,
        remedy=job.remedy,
    )
