"""Grows a pipe past what ordinary users may have, then one within it; says what came of it."""

from __future__ import annotations

import os

from procession.logs.pipes import PipeBudget

with open("/proc/sys/fs/pipe-max-size") as file:
    most = int(file.read())
read, write = os.pipe()
for size in (2 * most, most):
    print(PipeBudget(8 * most, size).grow(read) > 0, flush=True)
