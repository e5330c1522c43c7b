"""The inspection of each brick that a camera saw."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

import msgspec

from deungdae.core.errors import FactoryError, Fault, NotEnoughData
from deungdae.core.ports import Needs, Picture, Window
from deungdae.core.types import Finding
from deungdae.model.factory import Factory

from .labels import DRAWN
from .reference import LEAST, Album, Reference
from .trained import Models, Trained
from .verdict import Verdict, boxes_text, cells_text, corners_text, inspect


class VisionOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which camera, and how strict."""

    signal: Annotated[
        str, msgspec.Meta(description="Id of the camera's signal of images", min_length=1)
    ]
    learn: Annotated[
        int,
        msgspec.Meta(description="Images of good bricks to learn from first", ge=LEAST, le=500),
    ] = 100
    good: Annotated[
        str,
        msgspec.Meta(
            description="Folder of images of good bricks, beside the factory file: learnt from "
            "before the camera's own"
        ),
    ] = ""
    false_rejects: Annotated[
        float,
        msgspec.Meta(
            description="Good bricks that may be rejected", gt=0, le=50, extra={"unit": "%"}
        ),
    ] = 2.0
    drawn: Annotated[
        float,
        msgspec.Meta(
            description="Bricks drawn by chance for people to look at, whatever was said of them",
            ge=0,
            le=100,
            extra={"unit": "%"},
        ),
    ] = 1.0


class Vision:
    """Inspects bricks by image: cracks, chips, blowholes, stains and wrong colour.

    The first `learn` images are taken for good bricks; up to a tenth of them may be bad. From them
    it learns what a face looks like, how far good ones differ, and where to draw the line so that
    `false_rejects` of good bricks are rejected, as long as light and clay stay as they were: teach
    it in the light in which it will work. Each later image gets a score; one above the threshold
    is a warning that says what the defect looks like and where it is.

    Of what it decides, `drawn` of the bricks are put into people's queue by chance: only so is it
    seen what passes that should not.

    The brick must lie flat on a background that differs from it, wholly in the image, and turned
    by less than an eighth of a turn. A restart learns anew: put photographs of good bricks, taken
    by that camera, into a folder and name it under `good`, and it is ready at once.

    ```toml
    [insight.inspection]
    type = "vision"
    signal = "camera1.image"
    learn = 100
    ```
    """

    Options = VisionOptions
    examples = ("good",)

    def __init__(self, name: str, options: VisionOptions, factory: Factory) -> None:
        """Raises FactoryError where the signal is no image, or too few are learnt from."""
        self.name = name
        self.options = options
        self.factory = factory
        faults = list(self._faults())
        if faults:
            raise FactoryError(faults)
        self._album = Album()
        self._reference: Reference | None = None
        self._models = Models()

    @property
    def needs(self) -> Needs:
        """Return the images, and the model of its name."""
        return Needs(images=(self.options.signal,), models=(self.name,))

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        """Return the inspection of each image, in order.

        Raises NotEnoughData until enough images are learnt from.
        """
        acting, shadow = self._models.stand(window.models.get(self.name, ()))
        found = []
        for picture in window.images.get(self.options.signal, ()):
            if self._reference is None:
                self._learn(picture)
                if acting is None:
                    continue
            found.append(self._inspection(now, picture, acting, shadow))
        if self._reference is None and acting is None:
            seen = len(self._album.faces)
            raise NotEnoughData(
                f"{seen} of {self.options.learn} images of good bricks seen on "
                f"{self.options.signal}"
            )
        return found

    def _learn(self, picture: Picture) -> None:
        """Look at one more image, and learn when it is the last; one without a brick is none."""
        try:
            self._album.add(picture.pixels)
        except NotEnoughData:
            return
        if len(self._album.faces) == self.options.learn:
            self._reference = self._album.learn(self.options.false_rejects / 100)
            self._album = Album()

    def _inspection(
        self, now: int, picture: Picture, acting: Trained | None, shadow: Trained | None
    ) -> Finding:
        moment = min(picture.time, now)
        finding = Finding(
            origin=self.name,
            asset=self.options.signal.rpartition(".")[0] or self.options.signal,
            name="inspection",
            start=moment,
            end=moment,
            evidence={"serial": picture.serial, "image": picture.ref},
        )
        if acting is not None:
            finding = acting.concluded(finding, picture)
        elif self._reference is not None:
            finding = _by_reference(finding, picture, self._reference)
        more = {}
        if shadow is not None:
            more["shadow"] = shadow.aside(picture.pixels)
        judge = finding.evidence.get("model") or finding.evidence.get("reference", "")
        if is_drawn(picture.serial or picture.ref, judge, self.options.drawn / 100):
            more[DRAWN] = f"{self.options.drawn:g} %"
        return msgspec.structs.replace(finding, evidence=finding.evidence | more)

    def _faults(self) -> Iterator[Fault]:
        fault = partial(self.factory.fault, "insight", self.name)
        options = self.options
        signal = self.factory.signals.get(options.signal)
        if signal is not None and signal.kind != "image":
            yield fault("signal", options.signal, f"is of kind {signal.kind}, not an image")
        least = 100 / options.false_rejects - 1
        if options.learn < least:
            remedy = f"learn = {round(least)} or more, or more false rejects"
            problem = f"cannot hold false_rejects = {options.false_rejects:g} %"
            yield fault("learn", options.learn, problem, remedy)


def is_drawn(part: str, judge: str, share: float) -> bool:
    """Return whether a part is drawn by chance for people to look at, share: 0 to 1.

    By a hash, so that it comes to the same again; whatever was said of the part, so that those
    drawn stand for all.
    """
    number = int.from_bytes(hashlib.sha256(f"{judge} {part}".encode()).digest()[:8])
    return number < share * 2**64


def _by_reference(finding: Finding, picture: Picture, reference: Reference) -> Finding:
    """Return what is concluded from an image by what good bricks look like."""
    known = {"reference": reference.version, "threshold": f"{reference.threshold:.6g}"}
    try:
        verdict = inspect(picture.pixels, reference)
    except NotEnoughData as error:
        evidence = finding.evidence | known
        return msgspec.structs.replace(finding, severity=1, reason=str(error), evidence=evidence)
    return msgspec.structs.replace(
        finding,
        value=verdict.score,
        severity=2 if verdict.reject else 0,
        reason=_words(verdict),
        evidence=finding.evidence | known | _evidence(verdict, reference),
    )


def _words(verdict: Verdict) -> str:
    if not verdict.reject:
        return ""
    return f"looks like {' and '.join(verdict.kinds)}; no good brick is so far from the others"


def _evidence(verdict: Verdict, reference: Reference) -> dict[str, str]:
    evidence = {
        "verdict": "reject" if verdict.reject else "pass",
        "learnt from": f"{reference.images} images, {reference.set_aside} of them set aside",
    }
    if verdict.kinds:
        evidence["kinds"] = ", ".join(verdict.kinds)
    if verdict.boxes:
        evidence["boxes"] = boxes_text(verdict.boxes)
    if verdict.reject:
        evidence["heat"] = cells_text(verdict.heat, verdict.threshold)
        evidence["corners"] = corners_text(verdict.corners)
    return evidence
