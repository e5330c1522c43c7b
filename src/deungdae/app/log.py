"""One line per change of state: time, level, who, key=value."""

from __future__ import annotations

import logging
import sys
import time


def configure(level: str = "info", *, stream: object = None) -> None:
    """Let the house's loggers write to standard error; libraries only from warning on."""
    handler = logging.StreamHandler(stream or sys.stderr)  # type: ignore[arg-type]
    handler.setFormatter(_Line())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("deungdae").setLevel(level.upper())
    for noisy in ("asyncua", "pymodbus", "gmqtt"):  # their doors say the same in our words
        logging.getLogger(noisy).setLevel(logging.CRITICAL)


class _Line(logging.Formatter):
    """`2026-11-23T04:20:00.123Z info machines.kiln state=online`."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        moment = self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{record.msecs:03.0f}Z"
        name = record.name.removeprefix("deungdae.")
        line = f"{moment} {record.levelname.lower()} {name} {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line
