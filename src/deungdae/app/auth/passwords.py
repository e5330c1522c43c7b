"""Which passwords are taken, and how they are kept: rules after NIST SP 800-63B, argon2id."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from deungdae.core.errors import Refused

SHORTEST, LONGEST = 10, 256  # characters
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look like another
# somewhat above what OWASP asks at least (19 MiB, 2 rounds), and no more: small boxes run this
HASHER = PasswordHasher(time_cost=3, memory_cost=19 * 1024, parallelism=1)

# the beginnings of lists of leaked passwords, as far as they are long enough; lists of each country
# differ, and these hold Korean keyboards' too
COMMON = frozenset(
    """
    1234567890 0123456789 0987654321 1234512345 1234567891 12345678910 123456789a 123456789q
    1q2w3e4r5t 1q2w3e4r5t6y q1w2e3r4t5 q1w2e3r4t5y6 1qaz2wsx3edc qwertyuiop qwerty1234 qwerty12345
    qwerty123456 qwer123456 asdfghjkl1 asdf123456 asdfghjkl; zxcvbnm123 abcdefghij abcdefghijk
    abc1234567 abcd123456 abcd12345678 a123456789 aa12345678 qwaszx1234 password12 password123
    password1234 password12345 passw0rd123 p@ssw0rd123 p@ssword123 iloveyou12 iloveyou123
    administrator administrator1 admin12345 admin123456 admin1234567 welcome123 welcome1234
    letmein123 changeme123 changeme1234 sunshine123 princess123 football123 baseball123
    superman123 trustno1234 dragon12345 monkey12345 master12345 factory123 factory1234
    operator123 engineer123 operator1234 engineer1234 maintenance maintenance1 production
    production1 samsung123 samsung1234 korea12345 seoul12345 tkfkdgody1 dkssudgktpdy tkfkdgo1234
    rlaalswl12 qlalfqjsgh qlalfqjsgh1 gksrnr1234 deungdae12 deungdae123 deungdae1234
    """.split()  # noqa: SIM905 — a list reads as a list
)


def normal(password: str) -> str:
    """Return a password in one spelling of its characters, however a keyboard composes them."""
    return unicodedata.normalize("NFKC", password)


def check(password: str, known: Iterable[str]) -> None:
    """Return if a password may be chosen. known: words that others guess first, as the user's name.

    Raises Refused naming the rule. There are no rules of composition, as SP 800-63B demands.
    """
    password = normal(password)
    if not password.isprintable():  # half of a surrogate pair, a line's end
        raise Refused("password-letters", "a password has characters that can be typed and seen")
    plain = password.casefold()
    if len(password) < SHORTEST:
        raise Refused("password-short", f"a password needs at least {SHORTEST} characters")
    if len(password) > LONGEST:
        raise Refused("password-long", f"a password has at most {LONGEST} characters")
    if plain in COMMON or len(set(plain)) < 4 or plain in "01234567890123456789":
        raise Refused("password-common", "this password is among the first that others try")
    for word in known:
        rest = plain.replace(word.casefold(), "") if len(word) > 3 else plain
        if plain == word.casefold() or (rest != plain and re.fullmatch(r"[\W\d]{0,4}", rest)):
            raise Refused("password-name", "a password must not be the name of the user or factory")


def make(password: str) -> str:
    """Return what is kept of a password: its hash with salt and parameters. Takes some 50 ms."""
    return HASHER.hash(normal(password))


def fits(kept: str, password: str) -> bool:
    """Return whether a password is the one of which that was kept. Takes some 50 ms."""
    try:
        return HASHER.verify(kept, normal(password))
    except (VerificationError, InvalidHashError, UnicodeEncodeError):  # half of a surrogate pair
        return False


def one_time() -> str:
    """Return a password of 79 random bits that can be typed from paper."""
    parts = ("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))
    return "-".join(parts)
