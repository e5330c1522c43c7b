"""A twin from records: what the log of a line tells about it, how sure that is, and what it hides.

`log_of` reads a store, `learn` makes a Twin of it, `capability` and `forecasts` ask it, `write`
gives it as a `line.toml`, `Mirror` follows the line as it runs.
"""

from .fit import Fit, fit
from .learn import learn
from .log import Gap, Log, Parts, StationLog, log_from, log_of
from .mirror import TELLING, Mirror, mirror
from .predict import Interval, capability, forecasts
from .toml import write
from .twin import Beliefs, Observed, Twin, decode, encode

__all__ = [
    "TELLING",
    "Beliefs",
    "Fit",
    "Gap",
    "Interval",
    "Log",
    "Mirror",
    "Observed",
    "Parts",
    "StationLog",
    "Twin",
    "capability",
    "decode",
    "encode",
    "fit",
    "forecasts",
    "learn",
    "log_from",
    "log_of",
    "mirror",
    "write",
]
