"""Bearing faults: physics and healthy running alone, against classifiers, on recordings held out.

Data: Case Western Reserve University, drive end at no load (one healthy recording, six with faults:
7 and 21 mil at the inner race, the outer race and a ball). Whole recordings stay on one side; the
healthy one is split by time with a block between. Blocks of 1 s.

What was looked at when: the form of the method and its one constant (`SHOWN`, .75) were chosen on
these seven recordings; so its accuracy on them is no forecast. "The constant from one size" sets it
anew from recordings of one size of fault (half way, in logarithms, between the races and the rest)
and judges the other size. No recording under load, of another size or with a fault at the fan end
is here: what carries over is shown on the simulated motor (sim/plant/motor), seeded.

SOURCE.md says that all was sampled at 12 kHz. The healthy recording was not: its lines stand at
every quarter of the shaft's speed if that is believed; at 48 kHz they stand where they belong, and
its 5.1 s fit the others' 10. A classifier that is given it as 12 kHz tells healthy from faulty by
the wrong time axis alone. Here it is brought from 48 to 12 kHz first.

Published 99-100 % comes from windows of one recording on both sides of the split: "leaky" below.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

import measure
from deungdae.core.errors import NotEnoughData
from deungdae.insight import condition
from deungdae.insight.condition.block import Block
from deungdae.learn.measure import exact
from deungdae.sim.plant.motor import Bearing, Motor, MotorParameters

Array = NDArray[np.float64]

DATA = measure.DATA / "cwru-bearing"
FAULTS = {
    "12k_Drive_End_IR007_0_105": ("inner", 7),
    "12k_Drive_End_IR021_0_209": ("inner", 21),
    "12k_Drive_End_OR007@6_0_130": ("outer", 7),
    "12k_Drive_End_OR021@6_0_234": ("outer", 21),
    "12k_Drive_End_B007_0_118": ("ball", 7),
    "12k_Drive_End_B021_0_222": ("ball", 21),
}
RATE = 12_000.0
TRUE_RATE = 48_000.0  # of the healthy recording
G = 9.80665
SKF = condition.CATALOGUE["6205"]


def main() -> int:
    """Run all and print the table."""
    options = measure.arguments(__doc__).parse_args()
    measure.need(DATA)
    others = classifiers()
    sizes = "/".join(f"{row['value']:.2f}" for row in others[1:])
    rows = [*recordings(f"LightGBM, other size {sizes}"), *others]
    rows += simulated(quick=options.quick)
    rows += life(60 if options.quick else 400)
    measure.report("ai_bearings", rows, as_json=options.json)
    return 0


# ---- recordings


def recording(name: str, end: str = "DE") -> Block:
    """Return a recording at 12 kHz, m/s2. end: which sensor, DE or FE."""
    held = loadmat(DATA / f"{name}.mat")
    value = next(held[key] for key in held if key.endswith(f"{end}_time")).ravel() * G
    speed = next(float(held[key].item()) for key in held if key.endswith("RPM")) / 60
    rate = TRUE_RATE if name.startswith("normal") else RATE
    return condition.resampled(condition.recorded(value, rate, speed), RATE)


def seen(name: str, end: str) -> list[condition.Look]:
    return condition.looks(recording(name, end), SKF, seconds=1.0)


def recordings(baseline: str) -> list[measure.Row]:
    """Return rows of the method on real recordings, by sensor."""
    rows = []
    for end, where in (("DE", "at the bearing"), ("FE", "at the other end of the motor")):
        begun = time.process_time()
        healthy = seen("normal_0_97", end)
        known = condition.learn(healthy[: len(healthy) // 2])
        faults = {name: seen(name, end) for name in FAULTS}
        spent = time.process_time() - begun
        blocks = [(condition.diagnose(each, known).place, FAULTS[name][0])
                  for name in FAULTS for each in faults[name]]  # fmt: skip
        rest = healthy[len(healthy) // 2 + 1 :]
        blocks += [(condition.diagnose(each, known).place, "none") for each in rest]
        whole = [(condition.diagnose(condition.together(faults[name]), known).place,
                  FAULTS[name][0]) for name in FAULTS]  # fmt: skip
        whole.append((condition.diagnose(condition.together(rest), known).place, "none"))
        hits = sum(told == truth for told, truth in whole)
        right = np.mean([told == truth for told, truth in blocks])
        rows += [
            measure.row(f"sensor {where}: recordings named right", hits / len(whole), "share",
                        least=0.95 if end == "DE" else None, interval=within(hits, len(whole)),
                        published=".99-1 (random split)", baseline=baseline, seconds=spent),
            measure.row(f"sensor {where}: blocks of 1 s named right ({len(blocks)})",
                        float(right), "share", least=0.95 if end == "DE" else None,
                        interval=within(hits, len(whole)), baseline=baseline),
        ]  # fmt: skip
        if end == "DE":
            rows += constants(faults, known)
            by = [condition.diagnose(each, known).by for name in FAULTS
                  for each in faults[name] if FAULTS[name][0] == "ball"]  # fmt: skip
            rows.append(measure.row("ball faults: shown by their own lines, not by elimination",
                                    by.count("lines") / len(by), "share"))  # fmt: skip
            rows.append(measure.row("CPU for a block of 1 s at 12 kHz",
                                    1000 * spent / (len(blocks) + len(healthy)), "ms"))  # fmt: skip
    multiples = condition.CATALOGUE["6203"]
    fan = condition.looks(recording("normal_0_97", "FE"), multiples)
    alarms = sum(condition.diagnose(each).place != "none" for each in fan)
    rows.append(measure.row(f"fan end (6203), healthy: false alarms in {len(fan)} blocks", alarms,
                            "", most=0))  # fmt: skip
    return rows


def constants(
    faults: dict[str, list[condition.Look]], known: condition.Healthy
) -> list[measure.Row]:
    """Return rows where the one constant comes from the other size of fault."""
    rows = []
    for learnt, tested in ((7, 21), (21, 7)):
        depths: dict[bool, list[float]] = {True: [], False: []}
        for name, (place, size) in FAULTS.items():
            for each in faults[name] if size == learnt else []:
                depth = {race: each.strikes[race].depth if race in each.strikes else 0.0
                         for race in condition.PLACES}  # fmt: skip
                if place == "ball":
                    depths[False].append(max(depth["inner"], depth["outer"]))
                else:
                    depths[True].append(depth[place])
        limit = float(np.sqrt(min(depths[True]) * max(depths[False])))
        told = [(condition.diagnose(each, known, shown=limit).place, place)
                for name, (place, size) in FAULTS.items() if size == tested
                for each in faults[name]]  # fmt: skip
        right = float(np.mean([a == b for a, b in told]))
        what = f"constant from {learnt} mil ({limit:.2f}): {tested} mil, blocks"
        interval = within(3 * right, 3)  # three recordings: their blocks are no more cases
        rows.append(measure.row(what, right, "share", least=0.95, interval=interval))
    return rows


# ---- classifiers, as papers train them


def classifiers() -> list[measure.Row]:
    """Return rows of LightGBM on usual features: split at random, and by size of fault."""
    windows, truths, sizes, places = [], [], [], []
    for name in ("normal_0_97", *FAULTS):
        place, size = FAULTS.get(name, ("none", 0))
        value = recording(name).value
        for first in range(0, len(value) - 2047, 2048):
            windows.append(features(value[first : first + 2048]))
            truths.append(place)
            sizes.append(size)
            places.append(first / len(value))
    x, y = np.asarray(windows), np.asarray(truths)
    size, place_ = np.asarray(sizes), np.asarray(places)
    random = np.random.default_rng(0).random(len(y)) < 0.7
    leaky = fitted(x, y, random, ~random)
    what = "LightGBM, windows split at random (leaky)"
    rows = [measure.row(what, leaky, "share", published=".99-1")]
    for learnt, tested in ((7, 21), (21, 7)):
        train = (size == learnt) | ((size == 0) & (place_ < 0.45))
        test = (size == tested) | ((size == 0) & (place_ > 0.55))
        right = fitted(x, y, train, test)
        rows.append(measure.row(f"LightGBM, trained with {learnt} mil, {tested} mil held out",
                                right, "share"))  # fmt: skip
    return rows


def fitted(x: Array, y: Any, train: Any, test: Any) -> float:
    """Return the mean share named right over classes."""
    from lightgbm import LGBMClassifier

    model = LGBMClassifier(n_estimators=200, num_leaves=15, verbose=-1, random_state=0, n_jobs=1)
    model.fit(x[train], y[train])
    told = np.asarray(model.predict(x[test]))
    return float(np.mean([(told[y[test] == each] == each).mean() for each in np.unique(y[test])]))


def features(value: Array) -> list[float]:
    """Return what papers take: moments, and the level of 24 bands, dB."""
    rms = np.sqrt((value**2).mean())
    power = np.abs(np.fft.rfft(value * np.hanning(len(value)))) ** 2
    bands = [10 * np.log10(part.sum() + 1e-12) for part in np.array_split(power, 24)]
    moments = [rms, np.abs(value).max(), (value**4).mean() / rms**4, (value**3).mean() / rms**3]
    return [*moments, np.abs(value).max() / rms, *bands]


# ---- the simulated motor


def simulated(*, quick: bool) -> list[measure.Row]:
    """Return rows of what is not among the recordings: loads, another bearing, changing speed."""
    count = 3 if quick else 15
    small = Bearing(balls=8, ball=6.746, pitch=28.5)  # the fan end's SKF 6203
    cases: dict[str, tuple[Bearing, Callable[[int], Motor]]] = {
        "other loads (1797 to 1730 /min), known at 1797": (
            Bearing(), lambda i: machine(Bearing(), (1797, 1772, 1750, 1730)[i % 4], i)),
        "another bearing (6203), 300 to 3000 /min": (
            small, lambda i: machine(small, (300, 600, 1480, 2950)[i % 4], i)),
    }  # fmt: skip
    rows = []
    for what, (bearing, make) in cases.items():
        told = [judged(make, bearing, fault, number)
                for fault in ("", "inner", "outer", "ball")
                for number in range(count)]  # fmt: skip
        right = sum(told)
        rows.append(measure.row(f"simulated: {what}", right / len(told), "share", least=0.95,
                                interval=within(right, len(told))))  # fmt: skip
    ramps = [ramp(fault, number) for fault in ("inner", "outer", "ball") for number in range(count)]
    with_, without = (float(np.mean([each[k] for each in ramps])) for k in (0, 1))
    rows.append(measure.row("simulated: speed rises 20 % within a block, order tracked", with_,
                            "share", least=0.95,
                            interval=within(sum(each[0] for each in ramps), len(ramps)),
                            baseline=f"{without:.2f} without"))  # fmt: skip
    days = 200 if quick else 2880
    motor = machine(Bearing(), 1770, 99)
    found = [look_at(motor, SKF_SIM) for _ in range(days)]
    known = condition.learn(found[:20])
    alarms = sum(condition.diagnose(each, known).place != "none" for each in found[20:])
    rows.append(measure.row(f"simulated: false alarms in {days - 20} healthy blocks", alarms, "",
                            most=0))  # fmt: skip
    return rows


SKF_SIM = condition.from_geometry(condition.Geometry(balls=9, ball=7.94, pitch=39.04))


def machine(bearing: Bearing, speed: float, seed: int) -> Motor:
    motor = Motor(MotorParameters(speed=speed), np.random.default_rng(seed))
    motor.bearing = bearing
    motor.drive("running", 0.0)
    return motor


def of(bearing: Bearing) -> condition.Multiples:
    return condition.from_geometry(
        condition.Geometry(
            balls=bearing.balls, ball=bearing.ball, pitch=bearing.pitch, angle=bearing.angle
        )
    )


def look_at(motor: Motor, multiples: condition.Multiples) -> condition.Look:
    turning = float(motor.get("speed")) / 60
    seconds = max(1.0, 1.1 * condition.turns_needed(multiples) / turning)
    wave = motor.waveform(round(seconds * RATE), RATE)
    return condition.look(condition.recorded(wave, RATE, turning), multiples)


def judged(make: Callable[[int], Motor], bearing: Bearing, fault: str, number: int) -> bool:
    """Return whether a fault of 13 % (or none) is named right."""
    healthy = condition.learn([look_at(make(0), of(bearing)) for _ in range(4)])
    motor = make(number)
    if fault:
        motor.call(f"start_{fault}_fault")
        motor.step(8 * 3600)
    found = condition.diagnose(look_at(motor, of(bearing)), healthy)
    return found.place == (fault or "none")


def ramp(fault: str, number: int) -> tuple[bool, bool]:
    """Return whether a fault is named while the speed rises: with order tracking, and without."""
    motor = machine(Bearing(), 1770, number)
    motor.call(f"start_{fault}_fault")
    motor.step(8 * 3600)
    seconds, rise = 2.0, 0.2
    even = motor.waveform(round(seconds * 1.2 * RATE), RATE)
    at = np.arange(round(seconds * RATE)) / RATE
    warped = at + rise * at**2 / (2 * seconds)
    wave = np.interp(warped, np.arange(len(even)) / RATE, even)
    turning = float(motor.get("speed")) / 60 * (1 + rise * at / seconds)
    told = []
    for speed in (turning, float(turning.mean())):
        found = condition.diagnose(condition.look(condition.recorded(wave, RATE, speed), SKF_SIM))
        told.append(found.place == fault)
    return told[0], told[1]


# ---- remaining life


def life(runs: int) -> list[measure.Row]:
    """Return rows of the interval of remaining life over simulated runs to failure."""
    rows = []
    for law in ("exponential", "linear"):
        random = np.random.default_rng(5)
        begun = time.process_time()
        told = [each for _ in range(runs) if (each := run(law, random)) is not None]
        inside = sum(low <= truth <= high for low, _, high, truth in told)
        ratio = [middle / truth for _, middle, _, truth in told]
        rows.append(measure.row(
            f"remaining life, {law}, 90 % interval: runs inside ({len(told)} with a trend)",
            inside / len(told), "share", least=0.85, interval=within(inside, len(told)),
            baseline=f"median off by x{np.exp(np.median(np.abs(np.log(ratio)))):.2f}",
            seconds=time.process_time() - begun))  # fmt: skip
    return rows


def run(law: str, random: np.random.Generator) -> tuple[float, float, float, float] | None:
    """Return low, median, high and the truth of one run, judged at 30 to 90 % of its decline."""
    onset = int(random.integers(0, 120))
    grows = np.arange(2000) >= onset
    share = 1.0 if law == "linear" else 0.55
    drift, wander = random.uniform(0.01, 0.05) * share, random.uniform(0.02, 0.1) * share
    path = np.cumsum(np.where(grows, drift + wander * random.standard_normal(2000), 0.0))
    noise = random.uniform(0, 0.1) * random.standard_normal(2000)
    true = 1 + path if law == "linear" else np.exp(path)
    shown = true + noise if law == "linear" else true * np.exp(noise)
    failed = int(np.argmax(true >= 4.5))
    now = int(onset + random.uniform(0.3, 0.9) * (failed - onset))
    if now < 20:
        return None
    try:
        found = condition.remaining(np.arange(now, dtype=np.float64), shown[:now], 4.5)
    except NotEnoughData:
        return None
    return found.low, found.value, found.high, float(failed - now + 1)


def within(hits: float, n: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share."""
    found = exact(hits, n)
    return found.low, found.high


if __name__ == "__main__":
    sys.exit(main())
