"""The comparison of each part that a camera saw with the image of a right one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Needs, Picture, Window
from deungdae.core.types import Finding
from deungdae.learn.pairs import Place, check, places
from deungdae.model.factory import Factory

from .vision.trained import Models
from .vision.verdict import boxes_text

_BOXES = 8  # that are told; a wrong part would have hundreds


class Golden:
    """Compares parts of two tones with a golden image: boards, labels, stencils, punched sheets.

    The golden image is the first one in the folder `golden`, beside the factory file; without a
    folder, the first that the camera takes. Each later image is parted into dark and light by its
    own light, laid over the golden one as a whole and part by part (up to a dozen pixels), and what
    still differs by `depth` pixels is a difference: dark where it should be light, or light where
    it should be dark. Its value is how deep the deepest one is. What differs all over is another
    product, and is said to be one.

    Without a model nothing is learnt. A model of its name, from `deungdae inspect train --golden`
    or from what people say of its parts, tells defects from what is none, and then judges instead
    of `depth`: docs/how-to/compare-with-a-golden-image.md.

    ```toml
    [insight.print]
    type = "golden"
    signal = "camera2.image"
    depth = 3.0
    ```
    """

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        signal: Annotated[
            str, msgspec.Meta(description="Id of the camera's signal of images", min_length=1)
        ]
        golden: Annotated[
            str,
            msgspec.Meta(
                description="Folder, beside the factory file, whose first image is a right part"
            ),
        ] = ""
        depth: Annotated[
            float,
            msgspec.Meta(
                description="How deep a difference must be, beyond how the part lies",
                ge=1.5,
                le=100,
                extra={"unit": "pixel"},
            ),
        ] = 3.0

    examples = ("golden",)

    def __init__(self, name: str, options: Options, factory: Factory) -> None:
        """Raises FactoryError where the signal is no image."""
        self.name = name
        self.options = options
        self._golden: Picture | None = None
        self._models = Models()
        signal = factory.signals.get(options.signal)
        if signal is not None and signal.kind != "image":
            problem = f"is of kind {signal.kind}, not an image"
            raise FactoryError([factory.fault("insight", name, "signal", signal.id, problem)])

    @property
    def needs(self) -> Needs:
        """Return the images, and the model of its name."""
        return Needs(images=(self.options.signal,), models=(self.name,))

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        """Return the comparison of each image. Raises NotEnoughData without a golden image."""
        found: dict[int, Finding] = {}  # of two images of one moment the later one holds
        for picture in window.images.get(self.options.signal, ()):
            if self._golden is None:
                self._golden = picture
            else:
                finding = self._inspection(now, picture, self._golden, window)
                found[finding.end] = finding
        if self._golden is None:
            raise NotEnoughData(f"no golden image of {self.options.signal} seen yet")
        return list(found.values())

    def _inspection(self, now: int, picture: Picture, golden: Picture, window: Window) -> Finding:
        """Return the inspection of an image, by the model where there is one."""
        moment = min(picture.time, now)
        finding = Finding(
            origin=self.name,
            asset=self.options.signal.rpartition(".")[0] or self.options.signal,
            name="inspection",
            start=moment,
            end=moment,
            evidence={"serial": picture.serial, "image": picture.ref, "golden": golden.ref},
        )
        acting, shadow = self._models.stand(window.models.get(self.name, ()), golden.pixels)
        try:
            check(golden.pixels, picture.pixels)
        except ValueError as error:
            return msgspec.structs.replace(finding, severity=1, reason=str(error))
        if acting is not None:
            finding = acting.concluded(finding, picture)
        else:
            finding = self._compared(finding, picture, golden)
        if shadow is None:
            return finding
        told = finding.evidence | {"shadow": shadow.aside(picture.pixels)}
        return msgspec.structs.replace(finding, evidence=told)

    def _compared(self, finding: Finding, picture: Picture, golden: Picture) -> Finding:
        """Return what is concluded from how deep an image differs."""
        try:
            differing = places(golden.pixels, picture.pixels)
        except NotEnoughData as error:
            return msgspec.structs.replace(finding, severity=1, reason=str(error))
        deep = [place for place in differing if place.depth >= self.options.depth]
        deep.sort(key=lambda place: -place.depth)
        return msgspec.structs.replace(
            finding,
            value=max((place.depth for place in differing), default=0.0),
            severity=2 if deep else 0,
            reason=_words(deep),
            evidence=finding.evidence | self._evidence(deep),
        )

    def _evidence(self, deep: Sequence[Place]) -> dict[str, str]:
        evidence = {
            "verdict": "reject" if deep else "pass",
            "threshold": f"{self.options.depth:g}",
        }
        if deep:
            corners = [place.box for place in deep[:_BOXES]]
            boxes = [(left, top, right - left, low - top) for left, top, right, low in corners]
            evidence["boxes"] = boxes_text(boxes)
        return evidence


def _words(deep: Sequence[Place]) -> str:
    """Return how a part differs, in words; '' where it does not."""
    dark = sum(place.dark for place in deep)
    light = len(deep) - dark
    if dark and light:
        return f"dark in {dark} places where it should be light, and light in {light}"
    if dark:
        return f"dark in {dark} places where it should be light"
    return f"light in {light} places where it should be dark" if light else ""
