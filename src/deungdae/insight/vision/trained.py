"""A trained model at work: what it says of a part, for people to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.ports import Appointed, Picture
from deungdae.core.types import Finding

from .place import Pixels
from .verdict import boxes_text, cells_text, corners_text

if TYPE_CHECKING:
    from deungdae.learn.images import Judgement
    from deungdae.learn.inspection import Judge

Verdict = Literal["pass", "reject", "unsure"]


class Trained:
    """A model as it stands now; loaded when the first part comes. golden: a right part, for one
    that compares."""

    def __init__(self, stands: Appointed, golden: Pixels | None = None) -> None:
        self.stands = stands
        self._golden = golden
        self._judge: Judge | None = None

    @property
    def known(self) -> dict[str, str]:
        """Return what judges, and by which limits."""
        stands = self.stands
        return {
            "model": f"{stands.name} {stands.version}",
            "stage": stands.stage,
            "threshold": f"{stands.reject:.6g}",
            "accept": f"{stands.accept:.6g}",
        }

    def judge(self, pixels: Pixels) -> Judgement:
        """Return what the model says of uint8[h, w, 3].

        Raises ValueError for no such model, NotEnoughData where the part is not seen.
        """
        from deungdae.learn.inspection import beside  # noqa: PLC0415 — for who has a model

        from .taught import load  # noqa: PLC0415 — as above

        if self._judge is None:
            self._judge = beside(load(self.stands.content), self._golden)
        return self._judge.judge(pixels)

    def verdict(self, score: float) -> Verdict:
        """Return what a score means: between its two limits a person is asked."""
        if score < self.stands.accept:
            return "pass"
        return "reject" if score > self.stands.reject else "unsure"

    def evidence(self, judgement: Judgement, shape: tuple[int, ...]) -> dict[str, str]:
        """Return the verdict and where it comes from; shape: of the image, height first."""
        verdict = self.verdict(judgement.score)
        told = {"verdict": verdict, **self.known}
        if verdict == "pass":
            return told
        height, width = shape[:2]
        whole = np.asarray([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
        limit = max(self.stands.accept, 1e-6)  # what is as warm as this made a person look
        told["heat"] = cells_text(judgement.heat, limit)
        told["corners"] = corners_text(whole)
        if judgement.boxes:
            told["boxes"] = boxes_text(judgement.boxes)
        return told

    def concluded(self, finding: Finding, picture: Picture) -> Finding:
        """Return the finding about an image with what the model concludes from it."""
        try:
            judgement = self.judge(picture.pixels)
        except NotEnoughData as error:
            evidence = finding.evidence | self.known
            return msgspec.structs.replace(
                finding, severity=1, reason=str(error), evidence=evidence
            )
        told = self.evidence(judgement, picture.pixels.shape)
        reason = {
            "pass": "",
            "reject": "looks like parts that people rejected",
            "unsure": "the model is not sure: a person must look",
        }
        return msgspec.structs.replace(
            finding,
            value=judgement.score,
            severity={"pass": 0, "unsure": 1, "reject": 2}[told["verdict"]],
            reason=reason[told["verdict"]],
            evidence=finding.evidence | told,
        )

    def aside(self, pixels: Pixels) -> str:
        """Return what it would have said, had it been asked: verdict, score and version."""
        try:
            score = self.judge(pixels).score
        except NotEnoughData:
            return f"unsure - {self.stands.version}"
        return f"{self.verdict(score)} {score:.3f} {self.stands.version}"


class Models:
    """The models of an inspection as they stand, each loaded once."""

    def __init__(self) -> None:
        self._known: dict[Appointed, Trained] = {}

    def stand(
        self, models: Sequence[Appointed], golden: Pixels | None = None
    ) -> tuple[Trained | None, Trained | None]:
        """Return the one that acts and the one that is watched, beside always the same golden
        image."""
        self._known = {each: self._known.get(each) or Trained(each, golden) for each in models}
        acting = next((m for m in self._known.values() if m.stands.stage != "shadow"), None)
        shadow = next((m for m in self._known.values() if m.stands.stage == "shadow"), None)
        return acting, shadow
