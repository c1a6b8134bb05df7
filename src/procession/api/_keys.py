from __future__ import annotations
from typing import TypedDict
Value = object
class TaskKeys(TypedDict, total=False):
    ready: Value
    restart: Value
class ProjectKeys(TypedDict, total=False):
    defaults: Value
