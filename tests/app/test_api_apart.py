"""Heavy questions in a process of their own."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from deungdae.app.api import apart
from deungdae.app.api.apart import Apart
from deungdae.app.api.failure import WebError


async def test_it_answers_elsewhere_and_ends_when_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "IDLE", 0.01)
    helper = Apart(30)
    process = await helper.call(os.getpid)
    assert process != os.getpid()
    while helper._pool is not None:
        await asyncio.sleep(0.01)


async def test_an_error_comes_through() -> None:
    helper = Apart(30)
    with pytest.raises(ValueError, match="invalid literal"):
        await helper.call(int, "x")
    helper.close()


async def test_what_takes_too_long_is_ended_and_the_next_is_answered() -> None:
    helper = Apart(30)
    await helper.call(os.getpid)
    helper.patience = 0.05
    with pytest.raises(WebError) as caught:
        await helper.call(time.sleep, 60)
    assert caught.value.status == 503
    helper.patience = 30
    assert await helper.call(int, "7") == 7
    helper.close()


async def test_a_process_that_died_is_told_and_made_anew() -> None:
    helper = Apart(30)
    with pytest.raises(WebError) as caught:
        await helper.call(os._exit, 1)
    assert (caught.value.status, "ended" in caught.value.error) == (503, True)
    assert await helper.call(int, "7") == 7
    helper.close()


async def test_only_so_many_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "WAITING", 1)
    helper = Apart(30)
    first = asyncio.create_task(helper.call(int, "7"))
    await asyncio.sleep(0)
    with pytest.raises(WebError) as caught:
        await helper.call(int, "8")
    assert caught.value.status == 429
    assert await first == 7
    helper.close()


async def test_it_does_not_outlive_who_asked(tmp_path: Path) -> None:
    script = tmp_path / "ask.py"
    script.write_text(
        "import asyncio, os\n"
        "from deungdae.app.api.apart import Apart\n"
        "async def main():\n"
        "    print(await Apart(30).call(os.getpid), flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(main())\n"
    )
    asking = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await asking.communicate()
    while Path(f"/proc/{int(told)}").exists():
        await asyncio.sleep(0.01)
