"""XML from strangers, read so that it can neither fetch anything nor grow beyond what it is."""

from __future__ import annotations

from lxml import etree

from deungdae.core.errors import BadReply

_EXCERPT = 200


def parsed(content: bytes, kind: str, remedy: str = "") -> etree._Element:
    """Return the root of a document, without comments and processing instructions.

    kind: of document, as `MTConnect`, for the words of an error. Raises BadReply with the remedy
    for what is no XML, is deeper than 256 elements or has a text of more than 10 MB, and for any
    DOCTYPE: no entity is resolved, nothing is fetched.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        shown = content[:_EXCERPT].decode(errors="replace")
        raise BadReply(
            f"this is no XML: {error.msg}; it begins {shown!r}", remedy=remedy
        ) from error
    if root.getroottree().docinfo.internalDTD is not None:  # of any encoding
        raise BadReply(f"the document brings a DOCTYPE, which no {kind} document has")
    return root
