"""What takes a while: begun by one request, followed by others, and ended with the process."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine
from typing import Any, Literal, TypeAlias, TypeVar

from deungdae.core.errors import DoorError, NotEnoughData

from .failure import WebError

log = logging.getLogger("deungdae.api")

JOBS = 8  # that are remembered
BUSY = 3  # that run at once

State: TypeAlias = Literal["running", "done", "cancelled", "failed"]
J = TypeVar("J", bound="Job")


class Job:
    """Something that takes a while, which a page asks for again and again."""

    def __init__(self, person: str, since: int) -> None:
        self.id = secrets.token_hex(8)
        self.person = person
        self.since = since
        self.state: State = "running"
        self.problem = ""
        self.remedy = ""
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin; `state` tells how it ended."""
        self._task = asyncio.create_task(self._run(work), name=f"job {self.id}")

    def cancel(self) -> None:
        """End it before it is done."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
            self.state = "done"
        except asyncio.CancelledError:
            self.state = "cancelled"
        except DoorError as error:
            self._fail(str(error), error.remedy)
        except NotEnoughData as error:
            self._fail(f"not enough data: {error}", "try again when there are more")
        except TimeoutError:
            self._fail("it took too long", "try again, or describe it by hand")
        except Exception as error:  # a driver's fault must not hide
            log.exception("state=failed job=%s", self.id)
            self._fail(f"this failed: {error!r}", "report it with the log")

    def _fail(self, problem: str, remedy: str) -> None:
        self.state, self.problem, self.remedy = "failed", problem, remedy


class Jobs:
    """The searches, browsings and trainings of one process."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job) -> None:
        """Remember a job, and forget the oldest."""
        self._jobs[job.id] = job
        for old in list(self._jobs.values())[:-JOBS]:
            old.cancel()
            del self._jobs[old.id]

    def check_free(self) -> None:
        """Raise WebError where enough is going on."""
        running = [job for job in self._jobs.values() if job.state == "running"]
        if len(running) >= BUSY:
            who = ", ".join(sorted({job.person for job in running}))
            raise WebError(409, f"{BUSY} jobs are under way, of {who}", "wait, or stop one")

    def find(self, id: str, kind: type[J]) -> J:
        """Return a job. Raises WebError."""
        job = self._jobs.get(id)
        if not isinstance(job, kind):
            raise WebError(404, "this job is not known any more", "begin it anew")
        return job

    def all(self, kind: type[J]) -> list[J]:
        """Return the jobs of a kind that are remembered, oldest first."""
        return [job for job in self._jobs.values() if isinstance(job, kind)]

    def close(self) -> None:
        """End all that runs."""
        for job in self._jobs.values():
            job.cancel()
