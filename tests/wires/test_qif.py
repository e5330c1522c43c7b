"""QIF documents: the real results of twenty covers, and what is wrong with a document."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.clock import from_iso
from deungdae.core.errors import BadReply
from deungdae.wires.qif import Measurement, measurements

COVERS = "nist-smstestbed/tdp/mtc/QIF-IncomingInspection/CoverResults_20_samples.QIF"
FIRST = "nist-smstestbed/tdp/mtc/FAIR/7_18_2017 9_24_30 AM Cover_Results.qif"


@pytest.fixture(scope="module")
def covers(shared_data: Path) -> list[Measurement]:
    return measurements((shared_data / COVERS).read_bytes())


def test_all_of_twenty_covers_is_read(covers: list[Measurement]) -> None:
    assert len(covers) == 541
    count = Counter(found.characteristic for found in covers)
    assert sorted(count.values()) == [1] + [20] * 27  # one part was measured once more at one place
    assert len({found.result for found in covers}) == 20
    assert len({found.part for found in covers} - {""}) == 19  # the last has no serial number
    assert all(found.unit == "mm" and found.status == "PASS" for found in covers)
    assert covers[0].time == from_iso("2017-03-20T11:40:15")


def test_limits_are_absolute(covers: list[Measurement]) -> None:
    found = {each.characteristic: each for each in covers}
    hole = found["CYLINDER1 DIAMETER2"]
    assert (hole.nominal, hole.lower, hole.upper) == (4.5, pytest.approx(4.2), pytest.approx(4.8))
    flat = found["PLANE1 FLATNESS1"]
    assert (flat.nominal, flat.lower, flat.upper, flat.kind) == (None, None, 0.05, "Flatness")
    # its program wrote the width of the zone as -0.13
    assert found["CYLINDER1 PERPENDICULARITY1"].upper == pytest.approx(0.13)
    assert found["DISTANCEBETWEEN6"].nominal == pytest.approx(25.05)


def test_a_hole_above_its_smallest_size_widens_its_position(covers: list[Measurement]) -> None:
    first = {each.characteristic: each for each in covers if each.result == covers[0].result}
    assert first["CYLINDER3 DIAMETER2"].value == pytest.approx(4.525)
    assert first["CYLINDER3 POSITION2"].bonus == pytest.approx(4.525 - 4.2)
    assert first["CYLINDER1 PERPENDICULARITY1"].bonus == 0  # regardless of size


def test_first_articles_of_another_program_are_read(shared_data: Path) -> None:
    found = measurements((shared_data / FIRST).read_bytes())
    assert len(found) == 560
    assert {each.part for each in found} == {str(number) for number in range(1, 21)}
    hole = next(each for each in found if each.characteristic == "Diameter 7")
    assert (hole.lower, hole.upper, hole.unit, hole.time) == (4.2, 4.8, "", None)


DOCUMENT = """<QIFDocument xmlns="http://qifstandards.org/xsd/qif3" versionQIF="3.0.0">
<Features><FeatureItems>
<CylinderFeatureItem id="7"><FeatureName>PIN</FeatureName></CylinderFeatureItem>
</FeatureItems></Features>
<Characteristics>
<CharacteristicDefinitions><DiameterCharacteristicDefinition id="1"><Tolerance>
<MaxValue>2.1</MaxValue><DefinedAsLimit>true</DefinedAsLimit></Tolerance>
</DiameterCharacteristicDefinition></CharacteristicDefinitions>
<CharacteristicNominals><DiameterCharacteristicNominal id="2">
<CharacteristicDefinitionId>1</CharacteristicDefinitionId><TargetValue>2</TargetValue>
</DiameterCharacteristicNominal></CharacteristicNominals>
<CharacteristicItems><DiameterCharacteristicItem id="3"><Name>D1</Name>
<FeatureItemIds n="1"><Id>7</Id></FeatureItemIds>
<CharacteristicNominalId>2</CharacteristicNominalId></DiameterCharacteristicItem>
</CharacteristicItems></Characteristics>
<MeasurementsResults><MeasurementResultsSet><MeasurementResults id="9"><MeasuredCharacteristics>
<CharacteristicMeasurements n="1"><DiameterCharacteristicMeasurement id="4">
<Status><CharacteristicStatusEnum>FAIL</CharacteristicStatusEnum></Status>
<CharacteristicItemId>3</CharacteristicItemId><Value>{value}</Value>
</DiameterCharacteristicMeasurement></CharacteristicMeasurements></MeasuredCharacteristics>
</MeasurementResults></MeasurementResultsSet></MeasurementsResults></QIFDocument>"""


def test_a_document_of_qif_3_is_read() -> None:
    (found,) = measurements(DOCUMENT.replace("{value}", "2.2").encode())
    assert (found.characteristic, found.value, found.lower, found.upper) == (
        "PIN D1",
        2.2,
        None,
        2.1,
    )
    assert (found.status, found.part, found.time) == ("FAIL", "", None)


@pytest.mark.parametrize("value", ["", "NaN", "INF", "1e999", "1,5"])
def test_what_is_no_number_is_no_value(value: str) -> None:
    (found,) = measurements(DOCUMENT.replace("{value}", value).encode())
    assert found.value is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no XML"),
        (b"%PDF-1.4", "no XML"),
        (b"<html/>", "document html"),
        (b'<!DOCTYPE x [<!ENTITY e "e">]><QIFDocument>&e;</QIFDocument>', "DOCTYPE"),
        (DOCUMENT.replace(">2</Char", ">77</Char").encode(), "points at id '77'"),
    ],
)
def test_what_is_no_good_document_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(BadReply, match=said):
        measurements(content)


@settings(deadline=None)
@given(st.integers(0, len(DOCUMENT)), st.binary(max_size=8))
def test_a_damaged_document_is_read_or_refused(at: int, junk: bytes) -> None:
    content = DOCUMENT.encode()
    with suppress(BadReply):
        measurements(content[:at] + junk + content[at + len(junk) :])
