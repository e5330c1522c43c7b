"""The error of a request."""

from __future__ import annotations


class WebError(Exception):
    """An answer that is not what was asked for: status, what is wrong, and what to do."""

    def __init__(self, status: int, error: str, remedy: str = "", rule: str = "") -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.remedy = remedy
        self.rule = rule
