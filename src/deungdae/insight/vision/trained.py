"""A trained model at work: what it says of a part, for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.ports import Appointed

from .place import Pixels
from .verdict import cells_text, corners_text

if TYPE_CHECKING:
    from deungdae.learn.images import Judgement
    from deungdae.learn.inspection import Judge

Verdict = Literal["pass", "reject", "unsure"]


class Trained:
    """A model as it stands now; loaded when the first part comes."""

    def __init__(self, stands: Appointed) -> None:
        self.stands = stands
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
        from .taught import load  # noqa: PLC0415 — for who has a model

        if self._judge is None:
            self._judge = load(self.stands.content)
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
        return told | {
            "heat": cells_text(judgement.heat, limit),
            "corners": corners_text(whole),
        }

    def aside(self, pixels: Pixels) -> str:
        """Return what it would have said, had it been asked: verdict, score and version."""
        try:
            score = self.judge(pixels).score
        except NotEnoughData:
            return f"unsure - {self.stands.version}"
        return f"{self.verdict(score)} {score:.3f} {self.stands.version}"
