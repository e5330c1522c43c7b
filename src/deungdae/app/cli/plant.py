"""Verbs for a virtual plant: plant runs one by itself, fault breaks a machine of it."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from deungdae.core.errors import Unreachable

from .output import Output

KINDS = ("drop", "freeze", "rubbish", "slow", "jump")
ORDERS = (*KINDS, "clear")
PATIENCE = 5.0  # s


def add(verbs: Any) -> None:
    """Add the verbs."""
    verb = verbs.add_parser("plant", help="virtual machines by themselves, until stopped")
    verb.add_argument("plant", type=Path, metavar="F", help="plant.toml: [factory] and [virtual.…]")
    verb.add_argument("--speed", type=speed, default=1.0, metavar="N", help="times real time (1)")
    verb.set_defaults(run=_plant)

    verb = verbs.add_parser("fault", help="make a machine of a virtual plant fail")
    verb.add_argument("plant", type=Path, metavar="F", help="folder of the running plant")
    verb.add_argument("machine", nargs="?", default="", metavar="MACHINE", help="else: list them")
    verb.add_argument("kind", nargs="?", choices=ORDERS, metavar="|".join(ORDERS))
    verb.add_argument("--quantity", default="", metavar="Q", help="freeze, rubbish: only this one")
    verb.add_argument("--for", dest="seconds", type=float, default=60.0, metavar="S",
                      help="how long, s (60); 0: until cleared with kind clear")  # fmt: skip
    verb.add_argument("--amount", type=float, default=5.0, metavar="S",
                      help="slow, jump: by how many seconds (5)")  # fmt: skip
    verb.set_defaults(run=_fault)


def speed(text: str) -> float:
    """Return how many times as fast as real time. Raises what argparse tells."""
    value = float(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text}: a number above 0, at most 1000")
    return value


def _plant(options: argparse.Namespace, output: Output) -> int:
    # as a program of its own, without the platform's 60 MB
    words = ["-m", "deungdae.app.plant", str(options.plant), "--speed", str(options.speed)]
    os.execv(sys.executable, [sys.executable, *words, "--log", options.log])  # noqa: S606


def _fault(options: argparse.Namespace, output: Output) -> int:
    order: dict[str, object] = {}
    if options.machine and options.kind is None:
        raise ValueError(f"say what shall happen to {options.machine}: {', '.join(KINDS)}, clear")
    if options.kind == "clear":
        order = {"machine": options.machine, "clear": True}
    elif options.machine:
        order = {
            "machine": options.machine, "kind": options.kind, "quantity": options.quantity,
            "amount": options.amount, "seconds": options.seconds,
        }  # fmt: skip
    answer = ask(options.plant, order)
    if "error" in answer:
        raise ValueError(answer["error"])
    if output.as_json:
        output.value(answer["machines"])
        return 0
    output.rows(
        [
            {"machine": name, "state": told["state"], "faults": _words(told["faults"])}
            for name, told in answer["machines"].items()
        ]
    )
    return 0


def _words(faults: list[dict[str, Any]]) -> str:
    return ", ".join(f"{fault['kind']} {fault['quantity']}".strip() for fault in faults) or "none"


def ask(plant: Path, order: dict[str, object]) -> dict[str, Any]:
    """Return the answer of the desk of a running plant. Raises Unreachable."""
    path = (plant.parent if plant.suffix == ".toml" else plant) / "desk.sock"
    try:
        with socket.socket(socket.AF_UNIX) as desk:
            desk.settimeout(PATIENCE)
            desk.connect(str(path))
            desk.sendall(json.dumps(order).encode() + b"\n")
            with desk.makefile("rb") as answers:
                answer: dict[str, Any] = json.loads(answers.readline())
                return answer
    except (OSError, ValueError) as error:
        remedy = "start it with: deungdae plant F, or deungdae demo --keep DIR"
        raise Unreachable(f"no plant answers at {path}: {error}", remedy=remedy) from error
