"""The schemas of answers in the OpenAPI description, from the structs themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from .answers import Problem

_PLACE = "#/components/schemas/{name}"
_WORDS = {
    400: "Asked in the wrong way",
    401: "Needs a login",
    403: "From another site, or the role is too little",
    404: "There is none",
    409: "A rule forbids it",
    410: "It is lost",
    412: "It has changed meanwhile",
    413: "Too large",
    422: "Not understood",
    429: "Too many wrong tries",
    502: "The machine did not do it",
    503: "The history or the journal cannot keep it",
}
_shown: dict[str, Any] = {}  # what routes answer, by its schema's name or spelling


def answer(kind: Any, *errors: int) -> dict[str, Any]:
    """Return what a route's decorator needs to describe its answer and the errors it may give.

    kind: a type, or a tuple of the types that it may be.
    """
    responses: dict[int | str, Any] = {200: {"description": "Done", **_content(kind)}}
    for status in (*errors, 401, 403, 422, 429, 503):
        responses.setdefault(status, {"description": _WORDS[status], **_content(Problem)})
    if 503 in errors:  # health answers the same, whatever it is
        responses[503] = {"description": "Nothing is kept", **_content(kind)}
    return {"responses": responses}


def binary(kinds: Sequence[str], *errors: int) -> dict[str, Any]:
    """Return what a route's decorator needs whose answer is bytes of one of some media types."""
    described = answer(None, *errors)
    described["responses"][200]["content"] = {
        kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds
    }
    return described


def _content(kind: Any) -> dict[str, Any]:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_PLACE)
    for name, component in components.items():
        if _shown.setdefault(name, component) != component:
            raise ValueError(f"two answers are called {name}: give one of them another name")
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
    return {"content": {"application/json": {"schema": schema}}}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description, with the schemas of all answers."""
    if app.openapi_schema is None:
        described = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        described.setdefault("components", {}).setdefault("schemas", {}).update(_shown)
        app.openapi_schema = described
    return app.openapi_schema
