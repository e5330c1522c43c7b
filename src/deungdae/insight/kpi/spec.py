"""What the indicators of one asset are computed from: the options of `[insight.<name>]`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from .categories import Category, Model


def _counter(what: str) -> msgspec.Meta:
    return msgspec.Meta(description=f"Id of a counter: {what}")


class KpiOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every option but `asset` may be left out; what then cannot be computed is said."""

    asset: Annotated[str, msgspec.Meta(description="Id of the machine or line", min_length=1)]
    state: Annotated[
        str, msgspec.Meta(description="Id of the signal that tells the state, in words or numbers")
    ] = ""
    model: Annotated[
        Model,
        msgspec.Meta(
            description="Whose words the states are: MTConnect Execution, PackML, or plain ones"
        ),
    ] = "plain"
    states: Annotated[
        dict[str, Category],
        msgspec.Meta(description="What further words or numbers mean; overrules the model"),
    ] = {}
    failures: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Ids of conditions or alarms: a stop under FAULT, TRIGGERED or ALARM is a "
            "failure"
        ),
    ] = ()
    reason: Annotated[
        str, msgspec.Meta(description="Id of the signal by which people tell why it stands")
    ] = ""
    heard: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Ids of further signals that show that the machine was on line; if none is "
            "given, those of the asset that tell words, and its first number"
        ),
    ] = ()

    count: Annotated[str, _counter("all parts made")] = ""
    good: Annotated[str, _counter("good parts")] = ""
    reject: Annotated[str, _counter("scrapped parts")] = ""
    rework: Annotated[str, _counter("parts to be reworked")] = ""
    inspected: Annotated[str, _counter("inspected parts")] = ""
    first_pass: Annotated[str, _counter("parts that passed the first inspection")] = ""
    first_operation: Annotated[str, _counter("parts made by the first operation")] = ""
    wrap: Annotated[
        float,
        msgspec.Meta(description="Counters start again from 0 at this value; 0: never", ge=0),
    ] = 0.0
    cycle: Annotated[
        float, msgspec.Meta(description="Planned run time per item", ge=0, extra={"unit": "s"})
    ] = 0.0
    capacity: Annotated[
        float,
        msgspec.Meta(
            description="Most parts that the equipment can make in a planned hour",
            ge=0,
            extra={"unit": "/h"},
        ),
    ] = 0.0
    target: Annotated[
        float,
        msgspec.Meta(
            description="Good parts that a planned hour shall give; 0: as many as `cycle` allows",
            ge=0,
            extra={"unit": "/h"},
        ),
    ] = 0.0
    planned_scrap: (
        Annotated[
            float,
            msgspec.Meta(
                description="Planned share of scrap in all parts", ge=0, le=100, extra={"unit": "%"}
            ),
        ]
        | None
    ) = None

    worked: Annotated[str, _counter("person hours of work on orders (APWT)")] = ""
    attended: Annotated[str, _counter("person hours of attendance (APAT)")] = ""

    material: Annotated[str, _counter("consumed material (CM)")] = ""
    integrated: Annotated[str, _counter("integrated good quantity (IGQ), in material's unit")] = ""
    production_loss: Annotated[str, _counter("material lost in production")] = ""
    storage_loss: Annotated[str, _counter("material lost in storage and transport")] = ""
    other_loss: Annotated[str, _counter("material lost otherwise")] = ""
    inventory: Annotated[
        str, msgspec.Meta(description="Id of the signal of the stock level, in items")
    ] = ""
    energy: Annotated[str, _counter("electric energy")] = ""
    power: Annotated[
        str, msgspec.Meta(description="Id of the electric power, where no counter is")
    ] = ""
    carriers: Annotated[
        dict[str, float],
        msgspec.Meta(
            description="Ids of counters of further energy carriers, each with kW.h per its unit"
        ),
    ] = {}

    measure: Annotated[
        str, msgspec.Meta(description="Id of the measured characteristic, one sample per part")
    ] = ""
    usl: Annotated[
        float | None, msgspec.Meta(description="Upper specification limit, in measure's unit")
    ] = None
    lsl: Annotated[
        float | None, msgspec.Meta(description="Lower specification limit, in measure's unit")
    ] = None
    subgroup: Annotated[
        int, msgspec.Meta(description="Consecutive parts of one subgroup", ge=2, le=25)
    ] = 5

    period: Annotated[
        Literal["shift", "day", "hour"],
        msgspec.Meta(description="Over what is counted; `shift` is `day` where there are none"),
    ] = "shift"
    every: Annotated[
        float,
        msgspec.Meta(description="How often the running period is told", ge=1, extra={"unit": "s"}),
    ] = 60.0
    live: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Indicators of the running period; all come when it has ended"),
    ] = ("oee", "availability", "effectiveness", "quality_ratio", "throughput_rate")
    coverage: Annotated[
        float,
        msgspec.Meta(
            description="Planned time whose state must be known for indicators of time",
            ge=0,
            le=100,
            extra={"unit": "%"},
        ),
    ] = 50.0

    def numbers(self) -> list[str]:
        """Return the ids of all counters and measured signals, each once."""
        ids = [
            *(self.count, self.good, self.reject, self.rework, self.inspected, self.first_pass),
            *(self.first_operation, self.worked, self.attended, self.material, self.integrated),
            *(self.production_loss, self.storage_loss, self.other_loss, self.inventory),
            *(self.energy, self.power, *self.carriers, self.measure),
        ]
        return list(dict.fromkeys(id for id in ids if id))

    def words(self) -> list[str]:
        """Return the ids of the signals that tell something in words, each once."""
        return list(dict.fromkeys(id for id in (self.state, *self.failures, self.reason) if id))
