"""What a line's description is told when it cannot work."""

from __future__ import annotations

import msgspec
import pytest

from deungdae.core.errors import FactoryError
from deungdae.sim.kernel import simulate
from deungdae.sim.line import read

WRONG = {
    "[stations.a]\ncycle=1\nfrom='x'": "stations.a.from = 'x': is not declared",
    "[stations.a]\ncycle=1\nfrom='q'\n[buffers.q]\ncapacity=2\ninitial=-3": "is below 0",
    "[stations.a]\ncycle=1\nto='q'\n[buffers.q]\ncapacity=9": "nobody takes from it",
    "[stations.a]\ncycle=0": "would never stop",
    "[stations.a]\ncycle=1\n[products.p]\nshare=0": "no product that it can begin",
    "[stations.a]\ncycle=1\nfrom='q'\nbatch=5\n[buffers.q]\ncapacity=4": "never a batch",
    "[stations.a]\ncycle=1\nfrom='q'\nneeds={r=3}\n[buffers.q]\n[buffers.r]\ncapacity=2":
        "never enough",
    "[stations.a]\ncycle=1\nsetup={'p>q'=2}\n[products.p]\n[products.q]": "a.setup.q>p: is missing",
    "[stations.a]\ncycle=1\nsetup={'p>q'=2, 'q>p'=1, 'q>r'=1}\n[products.p]\n[products.q]":
        "no change of family",
    "[stations.a]\ncycle=1\noperators={s=1, t=1}\n[operators.o]\nskills=['s','t']":
        "not so many people at once",
    "[stations.a]\ncycle=1\nfailures=[{every=9, repair=1, crew='c'}]\n[crews.c]\nsize=0":
        "crew of nobody",
    "[stations.a]\ncycle=1\nto='q'\n[stations.b]\ncycle=1\nfrom='q'\n[buffers.q]\n"
    "ride={vehicles='v', start='A', end='B'}\n[vehicles.v]\n[paths]\n'A>B'=5": "no way from B to A",
    "[stations.a]\ncycle=1\nto='q'\n[stations.b]\ncycle=1\nfrom='q'\n[buffers.q]\ncapacity=1\n"
    "ride={vehicles='v', start='A', end='B', lot=2}\n[vehicles.v]\n[paths]\nA-B=5": "ride.lot = 2",
    "[stations.a]\ncycle=1\nto='q'\n[stations.b]\ncycle=1\nfrom='q'\n[buffers.q]\ncapacity=0\ndelay=3":
        "no place for what is on its way",
    "[stations.a]\ncycle=1\n[stations.b]\ncycle=1\n[products.p]\nroute=['a','b']":
        "takes from nowhere: nothing comes to it from a",
    "[stations.a]\ncycle=1\nfrom='q'\nneeds={q=1}\n[buffers.q]": "is in `from` as well",
    "[stations.a]\ncycle=1\n[paths]\nA=5": "joins no two places",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_work_is_named(text: str) -> None:
    with pytest.raises(FactoryError) as error:
        read(text)
    assert WRONG[text] in str(error.value)


def test_a_line_that_was_never_read_is_checked_as_well() -> None:
    line = read("[stations.a]\ncycle=1\nto='q'\n[stations.b]\ncycle=1\nfrom='q'\n[buffers.q]")
    wrong = msgspec.structs.replace(line, buffers={})
    with pytest.raises(FactoryError, match="q"):
        simulate(wrong, horizon=10)
