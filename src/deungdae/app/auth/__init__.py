"""Who may do what over HTTP: users, roles, sessions, and the keeper of the door."""

from .keeper import GUEST, HEADER, Doorkeeper, Verdict
from .options import OidcOptions, WebOptions, is_loopback
from .roles import PROGRAM, Caller, Role
from .sessions import Session, Sessions
from .users import User, Users

__all__ = [
    "GUEST",
    "HEADER",
    "PROGRAM",
    "Caller",
    "Doorkeeper",
    "OidcOptions",
    "Role",
    "Session",
    "Sessions",
    "User",
    "Users",
    "Verdict",
    "WebOptions",
    "is_loopback",
]
