"""XML from strangers: what is read, and what is refused before it does harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from deungdae.core.errors import BadReply
from deungdae.wires import xml

# each entity holds ten of the one before: 12 bytes grow to 12 GB
LAUGHS = "<!ENTITY l0 'hahahahahaha'>" + "".join(
    f"<!ENTITY l{number} '{f'&l{number - 1};' * 10}'>" for number in range(1, 10)
)


def refused(content: bytes) -> str:
    with pytest.raises(BadReply) as error:
        xml.parsed(content, "QIF", "save it again")
    return f"{error.value} -> {error.value.remedy}"


def test_comments_and_instructions_are_no_part_of_a_document() -> None:
    root = xml.parsed(b"<a><!-- one --><?two?><b>three</b></a>", "QIF")
    assert [node.tag for node in root] == ["b"]


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4", b"<a", b"<a>\xff</a>", b"<a/><b/>"])
def test_what_is_no_xml_is_refused_with_its_beginning_and_a_remedy(content: bytes) -> None:
    said = refused(content)
    assert "this is no XML" in said
    assert "save it again" in said
    assert content[:2].decode() in said


def test_a_word_in_a_text_is_no_doctype() -> None:
    assert xml.parsed(b"<a><![CDATA[<!DOCTYPE]]></a>", "QIF").text == "<!DOCTYPE"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_in_any_encoding(encoding: str) -> None:
    content = f"<?xml version='1.0' encoding='{encoding}'?><!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"
    assert "DOCTYPE, which no QIF document has" in refused(content.encode(encoding))


def test_files_of_the_house_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    entity = f"<!DOCTYPE a [<!ENTITY x SYSTEM '{(tmp_path / 'secret').as_uri()}'>]><a>&x;</a>"
    assert "DOCTYPE" in refused(entity.encode())


def test_external_definitions_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "a.dtd").write_text("this would be said to be wrong if it were loaded")
    document = f"<!DOCTYPE a SYSTEM '{(tmp_path / 'a.dtd').as_uri()}'><a/>"
    assert "DOCTYPE" in refused(document.encode())


@pytest.mark.parametrize("root", ["<a>&l9;</a>", "<a b='&l9;'/>"])
def test_entities_that_grow_are_refused_before_they_have_grown(root: str) -> None:
    assert "amplification" in refused(f"<!DOCTYPE a [{LAUGHS}]>{root}".encode())


def test_huge_trees_are_refused() -> None:
    assert "depth" in refused(b"<a>" * 300 + b"</a>" * 300)
    assert "too long" in refused(b"<a>" + b"x" * 10_000_001 + b"</a>")
