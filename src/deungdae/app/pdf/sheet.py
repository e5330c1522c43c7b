"""An A4 sheet to draw on in mm: text that fits, bars, hatching. Everything on it is vector."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

from fpdf import FPDF

from deungdae.core.types import SECOND

Colour: TypeAlias = tuple[int, int, int]

FONTS = Path(__file__).parent / "fonts"  # Pretendard, under the SIL Open Font License: see there
WIDTH, HEIGHT, MARGIN = 210.0, 297.0, 14.0
INK: Colour = (22, 25, 28)
SOFT: Colour = (90, 97, 104)
LINE: Colour = (217, 218, 213)
ACCENT: Colour = (11, 110, 143)
TONES: dict[str, Colour] = {
    "planned": (226, 227, 222), "effective": (47, 143, 91), "production": (47, 143, 91),
    "unrated": (156, 201, 176), "failure": (194, 58, 48), "repair": (194, 58, 48),
    "setup": (90, 103, 181), "delay": (141, 79, 174), "idle": (213, 161, 30),
    "slower": (63, 142, 168), "rejected": (138, 74, 61), "maintenance": (226, 227, 222),
    "told": ACCENT,
}  # fmt: skip
UNKNOWN = ("unknown", "uncounted")  # drawn hatched
_GAP = 1.5  # mm between the lines of a hatching


class Sheet:
    """Pages of a report. footer: what stands at the foot of each."""

    def __init__(self, title: str, footer: str, language: str, made: int) -> None:
        self.footer = footer
        self.pdf = FPDF(orientation="P", unit="mm", format="A4")
        self.pdf.set_auto_page_break(False)
        self.pdf.set_title(title)
        self.pdf.set_lang(language)
        self.pdf.set_creator("Deungdae")
        self.pdf.set_creation_date(
            datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=made // SECOND)
        )
        for style, name in (("", "Regular"), ("B", "Bold")):
            self.pdf.add_font("Pretendard", style, FONTS / f"Pretendard-{name}.woff")
        self.y = 0.0
        self.turn()

    def turn(self) -> None:
        """Begin another page."""
        self.pdf.add_page()
        self.y = MARGIN
        self.text(MARGIN, HEIGHT - 8, self.footer, 7.5, SOFT)
        self.text(WIDTH - MARGIN, HEIGHT - 8, str(self.pdf.page_no()), 7.5, SOFT, align="right")

    def room(self, height: float) -> None:
        """Begin another page where less than so many mm are left."""
        if self.y + height > HEIGHT - MARGIN - 2:
            self.turn()

    def content(self) -> bytes:
        """Return the file."""
        return bytes(self.pdf.output())

    def text(
        self, x: float, y: float, words: str, size: float, colour: Colour = INK, *,
        bold: bool = False, align: Literal["left", "right", "middle"] = "left", width: float = 0.0,
        halo: bool = False,
    ) -> float:  # fmt: skip
        """Write one line with its base at y, cut to width if that is given; return its width.

        halo: on a white ground, so that it can be read over a line.
        """
        self.pdf.set_font("Pretendard", "B" if bold else "", size)
        self.pdf.set_text_color(*colour)
        shown = self.fitting(plain(words), width) if width else plain(words)
        wide = self.pdf.get_string_width(shown)
        shift = {"left": 0.0, "right": wide, "middle": wide / 2}[align]
        if halo:
            self.pdf.set_fill_color(255, 255, 255)
            self.pdf.rect(x - shift - 0.5, y - size * 0.29, wide + 0.7, size * 0.36, style="F")
        self.pdf.text(x - shift, y, shown)
        return wide

    def fitting(self, words: str, width: float) -> str:
        """Return as many letters as fit in the present font."""
        if self.pdf.get_string_width(words) <= width:
            return words
        low, high = 0, len(words)
        while low < high:
            middle = (low + high + 1) // 2
            if self.pdf.get_string_width(words[:middle].rstrip() + "…") <= width:
                low = middle
            else:
                high = middle - 1
        return words[:low].rstrip() + "…"

    def wrapped(
        self, x: float, words: str, size: float, width: float, colour: Colour = INK, *,
        most: int = 100,
    ) -> None:  # fmt: skip
        """Write lines from self.y on, at most so many, and move it below them."""
        self.pdf.set_font("Pretendard", "", size)
        step = size * 0.53
        lines: Any = self.pdf.multi_cell(
            width, step, plain(words, lines=True), dry_run=True, output="LINES"
        )
        for line in lines[:most]:
            self.y += step
            self.text(x, self.y - step * 0.25, line, size, colour)

    def heading(self, x: float, words: str) -> None:
        """Write the title of a drawing at self.y, and move it below."""
        self.text(x, self.y + 4, words, 10.5, bold=True)
        self.y += 7

    def bar(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """Draw a bar in the colour of its kind; what is not known is hatched."""
        if kind in UNKNOWN:
            self.hatch(x, y, width, height)
            return
        self.pdf.set_fill_color(*TONES.get(kind, SOFT))
        self.pdf.rect(x, y, max(width, 0.3), height, style="F")

    def hatch(self, x: float, y: float, width: float, height: float) -> None:
        """Hatch a rectangle."""
        if width < 0.4:
            return
        self.pdf.set_draw_color(*SOFT)
        self.pdf.set_line_width(0.15)
        with self.pdf.rect_clip(x, y, width, height):
            along = x - height
            while along < x + width:
                self.pdf.line(along, y + height, along + height, y)
                along += _GAP
        self.pdf.rect(x, y, width, height)

    def line(
        self, points: Sequence[tuple[float, float]], colour: Colour, width: float = 0.2, *,
        dashed: bool = False,
    ) -> None:  # fmt: skip
        """Draw a line through points."""
        self.pdf.set_draw_color(*colour)
        self.pdf.set_line_width(width)
        if dashed:
            self.pdf.set_dash_pattern(1.6, 1.2)
        self.pdf.polyline(points)
        if dashed:
            self.pdf.set_dash_pattern()


def plain(words: str, *, lines: bool = False) -> str:
    """Return a text without what cannot be printed; line breaks stay where lines are meant."""
    kept = (
        letter
        for letter in words
        if (lines and letter == "\n")
        or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co")
    )
    return "".join(kept)
