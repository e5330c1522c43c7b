"""The command line: one command, verbs first. Each verb is a function in a file beside this one."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

# before NumPy is loaded: its threads spin on products that are small here, and cost more than they
# save; what is large runs in processes
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from deungdae import __version__
from deungdae.app import log
from deungdae.core.errors import DeungdaeError, FactoryError, NotEnoughData

from .output import Output

DONE, NO, WRONG = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command."""
    from . import (  # noqa: PLC0415 — `--version` stays quick
        data,
        dataset,
        detect,
        factory,
        inspect,
        live,
        make,
        plant,
        report,
        simulate,
        twin,
        user,
    )

    top = argparse.ArgumentParser(
        prog="deungdae",
        description="An open smart-factory platform: machine, signal, historian, insight, decision,"
        " gate, machine.",
        epilog="exit codes: 0 done, 1 the answer is no, 2 the input is wrong",
    )
    top.add_argument("--version", action="version", version=f"deungdae {__version__}")
    verbs = top.add_subparsers(metavar="VERB", required=True)
    modules = (
        factory,
        live,
        plant,
        data,
        dataset,
        detect,
        inspect,
        report,
        simulate,
        twin,
        user,
        make,
    )
    for module in modules:
        module.add(verbs)
    for verb in verbs.choices.values():
        if not any(action.dest == "json" for action in verb._actions):
            verb.add_argument("--json", action="store_true", help="print JSON with stable keys")
        verb.add_argument("--log", default="info", choices=("debug", "info", "warning", "error"))
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    log.configure(options.log)
    output = Output(as_json=options.json)
    try:
        return int(options.run(options, output))
    except FactoryError as error:
        output.faults(error)
        return WRONG
    except NotEnoughData as error:
        output.problem(f"not enough data: {error}")
        return NO
    except (DeungdaeError, ValueError, FileNotFoundError) as error:
        output.problem(str(error), remedy=getattr(error, "remedy", ""))
        return WRONG
    except BrokenPipeError:
        sys.stderr.close()  # `| head` has seen enough
        return DONE
    except KeyboardInterrupt:
        return DONE
