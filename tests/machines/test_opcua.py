"""The parts of the OPC UA door that need no server: addresses, units, status, trust."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core import registry
from deungdae.core.errors import DoorError
from deungdae.core.types import DAY, SECOND, Batch, Flag, Severity, Signal
from deungdae.machines.opcua import Opcua, nodes, subscription, trust, units
from deungdae.machines.opcua.table import Table
from deungdae.machines.opcua.wire import NEVER, Values

NOW = 1_790_000_000 * SECOND
SPACES = ["http://opcfoundation.org/UA/", "urn:plant", "urn:a;b"]


# ---- addresses and units ----


@pytest.mark.parametrize(
    ("address", "node"),
    [
        ("ns=2;s=Kiln.Temp", ua.NodeId("Kiln.Temp", 2)),
        ("i=85", ua.NodeId(85)),
        ("nsu=urn:plant;s=Kiln;i=3", ua.NodeId("Kiln;i=3", 1)),
        ("nsu=urn:a;b;i=7", ua.NodeId(7, 2)),
        (" ns=1;i=5 ", ua.NodeId(5, 1)),
    ],
)
def test_an_address_is_a_node_id(address: str, node: ua.NodeId) -> None:
    assert nodes.parse(address, SPACES) == node


WRONG = ["", "Kiln", "ns=x;i=1", "ns=1;i=x", "nsu=urn:other;i=1", "svr=1;i=1", "ns=1;g=12",
         "ns=-1;i=1", "ns=1;i=1;s=x"]  # fmt: skip


@pytest.mark.parametrize("address", WRONG)
def test_a_bad_address_says_so(address: str) -> None:
    with pytest.raises(nodes.BadAddressError):
        nodes.parse(address, SPACES)


@given(st.text())
def test_any_text_is_a_node_id_or_a_clear_error(address: str) -> None:
    with suppress(nodes.BadAddressError):
        assert nodes.parse(address, SPACES)


def test_units_come_from_unece_and_ucum() -> None:
    # OPC 10000-8 table: unitId 4408652 is the number of the characters CEL
    celsius = ua.EUInformation("http://www.opcfoundation.org/UA/units/un/cefact", 4408652)
    assert units.ucum(celsius) == "Cel"
    assert units.ucum(ua.EUInformation(units.UCUM, -1, ua.LocalizedText("kW.h"))) == "kW.h"
    assert units.ucum(ua.EUInformation(units.UCUM, -1, ua.LocalizedText("Gradient"))) == ""
    assert units.ucum(ua.EUInformation("x", 1)) == ""
    assert units.ucum(None) == ""


def test_every_unece_code_maps_to_a_unit_that_the_house_knows() -> None:
    assert all(units._known(code) for code in units._CODES.values())


def test_the_options_are_found_by_the_registry() -> None:
    assert registry.load("machines", "opcua") is Opcua
    described = {option.name: option for option in registry.options(Opcua)}
    assert described["url"].required
    assert described["publishing"].unit == "s"
    assert all(option.description for option in described.values())


# ---- what the server sends, as batches and events ----


def values(
    value: list[float],
    *,
    handle: list[int] | None = None,
    code: int = 0,
    time: int = NOW,
    others: Mapping[int, Any] | None = None,
) -> Values:
    n = len(value)
    return Values(
        np.asarray(handle if handle is not None else range(n), np.uint32),
        np.asarray(value, float),
        np.full(n, code, np.uint32),
        np.full(n, time, np.int64),
        others or {},
    )


TABLE = {
    10: Signal(id="k.a", unit="Cel", source_unit="K"),
    20: Signal(id="k.mode", kind="state"),
    30: Signal(id="k.b", scale=0.1),
}


def test_a_message_becomes_a_batch_and_events_in_the_signals_units() -> None:
    table = Table(TABLE)
    table.texts = {1: {2: "running"}}
    batch, events = table.items(values([300.15, 2.0, 55.0]), NOW + 5)
    assert isinstance(batch, Batch)
    assert batch.signal.tolist() == [10, 30]
    assert batch.value == pytest.approx([27.0, 5.5])
    assert (batch.time == NOW).all()
    assert isinstance(events, tuple)
    assert (events[0].value, events[0].kind, events[0].time) == ("running", "state", NOW)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (0, Severity.GOOD),
        (0x40000000, Severity.UNCERTAIN),
        (0x80000000, Severity.BAD),
        (0xC0000000, Severity.BAD),
        (0x40900000, Severity.UNCERTAIN | Flag.STALE),
        (0x00960000, Severity.GOOD | Flag.SUBSTITUTED),
    ],
)
def test_a_status_code_becomes_severity_and_flags(code: int, status: int) -> None:
    (batch,) = Table({1: Signal(id="k.a")}).items(values([1.0], code=code), NOW)
    assert isinstance(batch, Batch)
    assert batch.status.tolist() == [status]


def test_without_any_time_it_is_the_receive_time_and_says_so() -> None:
    (batch,) = Table({1: Signal(id="k.a")}).items(values([1.0], time=NEVER), NOW + 7)
    assert isinstance(batch, Batch)
    assert (batch.time[0], batch.status[0]) == (NOW + 7, Flag.RECEIVED_TIME)


def test_a_problem_is_named_and_struck_out_when_the_value_is_good_again() -> None:
    table = Table({1: Signal(id="k.a"), 2: Signal(id="k.b")})
    list(table.items(values([float("inf"), float("nan")], others={1: "warm"}), NOW))
    assert "no number" in table.problems["k.a"]
    assert 'sends str, not a number: set kind = "text"' in table.problems["k.b"]
    list(table.items(values([1.0], handle=[1]), NOW))
    assert set(table.problems) == {"k.a"}


def test_an_overflow_is_a_gap_from_the_last_value_to_this_one() -> None:
    table = Table({1: Signal(id="k.a")})
    list(table.items(values([1.0]), NOW))
    gaps, _ = table.items(values([2.0], code=0x480, time=NOW + 9), NOW + 10)
    assert isinstance(gaps, tuple)
    assert (gaps[0].kind, gaps[0].time, gaps[0].data["until"]) == ("gap", NOW, str(NOW + 9))
    assert table.gaps == 1


def test_a_handle_that_nobody_asked_for_is_ignored() -> None:
    (batch,) = Table({1: Signal(id="k.a")}).items(values([1.0, 2.0], handle=[9, 0]), NOW)
    assert isinstance(batch, Batch)
    assert batch.value.tolist() == [2.0]


def test_deadband_is_in_raw_units() -> None:
    table = Table({1: Signal(id="k.a", scale=0.1, deadband=0.5)})
    assert table.deadband(0) == pytest.approx(5.0)


@given(st.integers(1, 2**32 - 1), st.integers(0, 5000))
def test_sequence_numbers_wrap_to_one(start: int, steps: int) -> None:
    end = start
    for _ in range(min(steps, 50)):
        end = subscription._after(end)
    assert 1 <= end < 2**32
    assert subscription._distance(start, end) == min(steps, 50)
    assert subscription._distance(end, start) == -min(steps, 50)


# ---- certificates ----


def certificate(
    subject: str,
    uri: str = "urn:server",
    *,
    issuer: tuple[x509.Certificate, rsa.RSAPrivateKey] | None = None,
    authority: bool = False,
    start: int = NOW - DAY,
) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    begin = datetime.fromtimestamp(start // SECOND, UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer[0].subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False
        )
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    return made, key


def der(made: tuple[x509.Certificate, rsa.RSAPrivateKey]) -> bytes:
    return made[0].public_bytes(serialization.Encoding.DER)


def check(folder: Path, shown: bytes, *, first: bool = False, now: int = NOW) -> str:
    return trust.check(folder, "kiln", shown, "urn:server", now, first=first)


def test_an_unknown_server_is_refused_until_a_person_moves_its_file(tmp_path: Path) -> None:
    server = der(certificate("server"))
    with pytest.raises(DoorError, match="not trusted") as refused:
        check(tmp_path, server)
    (file,) = (tmp_path / "rejected").iterdir()
    assert str(file) in refused.value.remedy
    (tmp_path / "trusted").mkdir()
    file.rename(tmp_path / "trusted" / file.name)
    assert check(tmp_path, server) == "listed"
    assert check(tmp_path, server + der(certificate("authority"))) == "listed"
    with pytest.raises(DoorError, match="not trusted"):
        check(tmp_path, der(certificate("server")))


def test_the_first_one_seen_is_kept_and_another_refused(tmp_path: Path) -> None:
    server = der(certificate("server"))
    assert check(tmp_path, server, first=True) == "first seen"
    assert check(tmp_path, server, first=True) == "listed"
    with pytest.raises(DoorError, match="not trusted"):
        check(tmp_path, der(certificate("other")), first=True)


def test_an_authoritys_servers_are_believed_in_date_and_for_their_uri(tmp_path: Path) -> None:
    authority = certificate("plant CA", authority=True)
    (tmp_path / "trusted").mkdir()
    pem = authority[0].public_bytes(serialization.Encoding.PEM)
    (tmp_path / "trusted/ca.pem").write_bytes(pem)
    server = der(certificate("server", issuer=authority))
    assert "plant CA" in check(tmp_path, server)
    with pytest.raises(DoorError, match="valid from"):
        check(tmp_path, server, now=NOW + 40 * DAY)
    with pytest.raises(DoorError, match="made for"):
        check(tmp_path, der(certificate("server", "urn:other", issuer=authority)))
    forged = certificate("plant CA", authority=True)
    with pytest.raises(DoorError, match="not trusted"):
        check(tmp_path, der(certificate("server", issuer=forged)))


def test_a_server_that_is_no_authority_vouches_for_nobody(tmp_path: Path) -> None:
    server = certificate("server")
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted/server.der").write_bytes(der(server))
    with pytest.raises(DoorError, match="not trusted"):
        check(tmp_path, der(certificate("intruder", issuer=server)))


def test_our_certificate_is_made_once_and_its_key_is_ours_alone(tmp_path: Path) -> None:
    made = trust.own(tmp_path, NOW)
    assert (tmp_path / "own/key.pem").stat().st_mode & 0o777 == 0o600
    again = trust.own(tmp_path, NOW + DAY)
    assert again.certificate == made.certificate
    assert made.uri.endswith(":deungdae")
    (tmp_path / "own/key.pem").write_text("nonsense")
    with pytest.raises(DoorError, match="cannot be read"):
        trust.own(tmp_path, NOW)


@given(st.binary(max_size=200))
def test_a_damaged_certificate_is_refused(shown: bytes) -> None:
    with pytest.raises(DoorError, match="cannot be read"):
        trust.check(Path("/nonexistent"), "kiln", shown, "", NOW, first=False)
