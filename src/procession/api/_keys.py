"""The keywords of `Task` and `Project`: the keys of a file, for those who check types.

Written by tools/python_reference.py; never loaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

Scalar = str | int | float | bool | None
Path = str | os.PathLike[str]
Value = Scalar | os.PathLike[str] | Sequence["Value"] | Mapping[Any, "Value"]


class TaskKeys(TypedDict, total=False):
    shell: bool | None
    launch_prefix: str | Sequence[Value] | None
    cwd: Path | None
    environment: Mapping[str, Scalar] | Sequence[str] | None
    env_file: Path | Sequence[Path] | None
    depends_on: Value
    start_delay: str | float | None
    autostart: bool | None
    completes: bool | None
    ready: Mapping[str, Value] | None
    ready_timeout: str | float | None
    health: Mapping[str, Value] | None
    watchdog: str | float | None
    restart: Value
    restart_backoff: str | float | None
    quit_on_terminate: bool | None
    tags: Value
    replicas: int | None
    port: int | None
    stop: Value
    leftover: str | None
    success_exit_codes: Value
    program_must_exist: bool | None
    user: str | int | None
    group: str | int | None
    supplementary_groups: Value
    umask: Value
    nice: int | None
    cpus: str | int | Sequence[int] | None
    limits: Mapping[str, Value] | None


class ProjectKeys(TypedDict, total=False):
    exit_code_from: str | None
    abort_on_failure: bool | None
    stop_timeout: str | float | None
    logs: Mapping[str, Value] | None
    defaults: Mapping[str, Value] | None
