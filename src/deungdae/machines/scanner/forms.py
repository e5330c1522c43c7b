"""What GS1 texts look like, and what a text may say."""

from __future__ import annotations

import re
from typing import NamedTuple

SYMBOLOGY = re.compile(r"\][A-Za-z][0-9A-Za-z]")
HRI = re.compile(r"\([0-9]{2,4}\)")
UNMARKED = re.compile(r"0[12][0-9]{14}|00[0-9]{18}")
GTIN = re.compile(r"[0-9]{8}|[0-9]{12,14}")
LINK = re.compile(r"https?://[^/]+/(?:.*/)?(?:00|01|253|255|401|402|414|417|8003|8004|8006|8010)/")


class Meaning(NamedTuple):
    """What a code says, as text by name. doubt: why it may be wrong, or ''."""

    data: dict[str, str]
    doubt: str = ""
