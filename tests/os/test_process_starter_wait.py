"""Who waits for a process of a starter while that is lost."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import Any, cast

from procession.process._starter_handle_linux import StarterHandle
from procession.process.handle import UNKNOWN, ExitStatus

BOUND = 20  # seconds


def test_a_pidfd_in_the_place_of_the_pipe_is_heard_by_who_waits_already() -> None:
    """poll(2) waits at what the number was when it began; the pipe of this one never ends."""
    reads, writes = os.pipe()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        handle = StarterHandle(cast("Any", None), "c", process.pid, reads, "")
        told: list[ExitStatus | None] = []
        waits = threading.Thread(target=lambda: told.append(handle.await_exit(reads)))
        waits.start()
        pidfd = os.pidfd_open(process.pid)
        handle._lost = True
        os.dup2(pidfd, reads, inheritable=False)
        os.close(pidfd)
        assert handle.poll_exit() is None
        process.stdin.close()
        waits.join(BOUND)
        assert told == [UNKNOWN]
    os.close(writes)
    os.close(reads)
