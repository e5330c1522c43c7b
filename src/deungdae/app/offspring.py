"""Processes that another one started, and that must not outlive it."""

from __future__ import annotations

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Let this process end when the one that started it is gone, also by a kill.

    It would wait for its next question for ever.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None, "only for a process that another one started"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
