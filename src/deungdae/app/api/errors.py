"""Every error as JSON of one form: {error, rule?, remedy?, faults?}."""

from __future__ import annotations

import logging
from math import ceil

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from deungdae.app.auth.keeper import TooMany
from deungdae.core.errors import (
    DoorError,
    FactoryError,
    NotEnoughData,
    Refused,
    StoreError,
)

from .answers import Problem
from .context import Json
from .failure import WebError

log = logging.getLogger("deungdae.api")


def handle(app: FastAPI) -> None:
    """Let an app answer errors in our form."""
    for kind, tell in (
        (WebError, _web),
        (TooMany, _too_many),
        (Refused, _refused),
        (NotEnoughData, _not_enough),
        (StoreError, _store),
        (DoorError, _door),
        (FactoryError, _factory),
        (RequestValidationError, _invalid),
        (HTTPException, _http),
        (Exception, _unexpected),
    ):
        app.add_exception_handler(kind, tell)  # type: ignore[arg-type]


async def _web(_: Request, error: WebError) -> Json:
    problem = Problem(error=error.error, rule=error.rule, remedy=error.remedy)
    return Json(problem, error.status)


async def _too_many(_: Request, error: TooMany) -> Json:
    seconds = ceil(error.wait)
    problem = Problem(error="too many wrong tries", rule="too-many", remedy=f"wait {seconds} s")
    return Json(problem, 429, headers={"Retry-After": str(seconds)})


async def _refused(_: Request, error: Refused) -> Json:
    return Json(Problem(error=error.reason, rule=error.rule), 409)


async def _not_enough(_: Request, error: NotEnoughData) -> Json:
    return Json(Problem(error=str(error)), 404)


async def _store(_: Request, error: StoreError) -> Json:
    return Json(Problem(error=str(error)), 503)


async def _door(_: Request, error: DoorError) -> Json:
    return Json(Problem(error=str(error), remedy=error.remedy), 502)


async def _factory(_: Request, error: FactoryError) -> Json:
    faults = [str(fault) for fault in error.faults]
    problem = Problem(
        error="the factory file is wrong", remedy="nothing was changed", faults=faults
    )
    return Json(problem, 422)


async def _invalid(_: Request, error: RequestValidationError) -> Json:
    faults = [
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors()
    ]
    problem = Problem(error="; ".join(faults), remedy="see /api/v1/openapi.json", faults=faults)
    return Json(problem, 422)


async def _http(_: Request, error: HTTPException) -> Json:
    return Json(Problem(error=str(error.detail)), error.status_code, headers=error.headers)


async def _unexpected(_: Request, error: Exception) -> Json:
    log.exception("state=failed", exc_info=error)
    return Json(Problem(error="this failed; the log says why", remedy="report it"), 500)
