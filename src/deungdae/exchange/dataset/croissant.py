"""The description of a package in Croissant 1.0, which tools for machine learning read.

Source: MLCommons, Croissant Format Specification 1.0 (2024-03-01), http://mlcommons.org/croissant/1.0
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

CONFORMS = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0")
SPDX = "https://spdx.org/licenses/"
_TYPES = {"number": "cr:Float64", "text": "sc:Text", "time": "sc:DateTime"}
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


class Field(msgspec.Struct, frozen=True):
    """A column of the table of items. unit: UCUM code, '' for what has none."""

    name: str
    kind: Literal["number", "text", "time"]
    description: str = ""
    unit: str = ""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a package says of itself to those who do not know us.

    version: 64 digits. made: ISO 8601. collected: how it was cut; sensitive: what was done for
    people's sake, or was not.
    """

    name: str
    version: str
    made: str
    fields: tuple[Field, ...]
    description: str = ""
    licence: str = ""
    contributor: str = ""
    uses: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    collected: str = ""
    sensitive: str = ""


def describe(
    about: About, items: tuple[str, int, str], pictures: Iterable[str]
) -> dict[str, object]:
    """Return the JSON-LD of a package.

    items: file, bytes and SHA-256 of the table. pictures: the folders of images that there are; the
    table has a column of file names called as each folder's singular, `image`, `mask_image`,
    `golden_image`.
    """
    file, size, digest = items
    folders = list(pictures)
    found: dict[str, object] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": about.name,
        "conformsTo": list(CONFORMS),
        "description": about.description or f"{about.name}, from a factory that runs Deungdae",
        "version": f"1.0.0+{about.version}",
        "license": _licence(about.licence),
        "creator": {"@type": "sc:Organization", "name": about.contributor or "not said"},
        "citeAs": f"{about.contributor or 'not said'}: {about.name}, version {about.version}",
        "datePublished": about.made,
        "isLiveDataset": False,
        "rai:dataLimitations": list(about.limits),
        "rai:dataUseCases": list(about.uses),
        "rai:dataCollection": about.collected,
        "rai:personalSensitiveInformation": [about.sensitive],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file,
                "name": file,
                "contentUrl": file,
                "contentSize": f"{size} B",
                "encodingFormat": "application/x-parquet",
                "sha256": digest,
            },
            *(_folder(name) for name in folders),
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "items",
                "name": "items",
                "description": "one record for each item",
                "field": [_field(each, file) for each in about.fields],
            },
            *(_pictures(name) for name in folders),
        ],
    }
    empty: tuple[object, ...] = ("", [], [""])
    return {key: value for key, value in found.items() if value not in empty}


def _licence(text: str) -> str:
    """Return what a licence is called, as a link where it looks like an SPDX code."""
    return f"{SPDX}{text}.html" if _CODE.fullmatch(text) else text


def _folder(name: str) -> dict[str, object]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{name}-files",
        "name": f"{name}-files",
        "description": f"the files in {name}/, each called by its SHA-256",
        "encodingFormat": ["image/png", "image/jpeg", "image/bmp", "image/tiff", "image/gif"],
        "includes": f"{name}/*",
    }


def _field(field: Field, file: str) -> dict[str, object]:
    words = field.description + (f" [{field.unit}]" if field.unit else "")
    return {
        "@type": "cr:Field",
        "@id": f"items/{field.name}",
        "name": field.name,
        "description": words.strip() or field.name,
        "dataType": _TYPES[field.kind],
        "source": {"fileObject": {"@id": file}, "extract": {"column": field.name}},
    }


def _pictures(name: str) -> dict[str, object]:
    """Return the records of a folder: the name of each file, and what it shows."""
    column = f"{name[:-1]}_image" if name != "images" else "image"
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"each file of {name}/; its name stands in the column {column} of the items",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/filename",
                "name": "filename",
                "description": "name of the file",
                "dataType": "sc:Text",
                "source": {
                    "fileSet": {"@id": f"{name}-files"},
                    "extract": {"fileProperty": "filename"},
                },
                "references": {"field": {"@id": f"items/{column}"}},
            },
            {
                "@type": "cr:Field",
                "@id": f"{name}/content",
                "name": "content",
                "description": "what it shows",
                "dataType": "sc:ImageObject",
                "source": {
                    "fileSet": {"@id": f"{name}-files"},
                    "extract": {"fileProperty": "content"},
                },
            },
        ],
    }
