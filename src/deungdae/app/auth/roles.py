"""What somebody may do, and who asks."""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Role(IntEnum):
    """What somebody may do; each role may all that those below it may."""

    VIEWER = 1  # look
    OPERATOR = 2  # approve, stop all writes, give reasons, acknowledge; read the journal
    ENGINEER = 3  # set-points, modes, the factory file, SQL
    ADMINISTRATOR = 4  # users

    @property
    def word(self) -> str:
        """Return the role as files and the API name it."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Role:
        """Return the role of a word. Raises ValueError."""
        try:
            return cls[word.upper()]
        except KeyError:
            known = ", ".join(role.word for role in cls)
            raise ValueError(f"{word!r} is no role: use one of {known}") from None


class Caller(msgspec.Struct, frozen=True):
    """Who asks. user: unique; name: as people know it, and as it stands in the journal.

    must_change: may do nothing but choose another password.
    """

    user: str
    name: str
    role: Role
    must_change: bool = False


PROGRAM = Caller("", "", Role.ADMINISTRATOR)  # whoever has the token; it says for whom it acts
