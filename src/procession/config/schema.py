"""The JSON Schema of the project file, for editors: made from the tables that the reader uses.

Draft 7, the newest that editors' YAML servers all know. A text the reader takes the schema takes
too; what a schema cannot say is left to the reader: a doubled key, two names that differ by case
only, a program that is not there, a signal, an exit code or a limit of this system, and what other
files say (one that is laid over others need have no tasks, and a task there no program).
"""

from __future__ import annotations

from procession import keys
from procession.config.schema_kinds import KINDS, SHARED, TASK_NAME, mapping, ref
from procession.spec import EXTENSION_PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.config.schema_kinds import Schema

DIALECT = "http://json-schema.org/draft-07/schema#"


def schema() -> Schema:
    """The whole schema: values for `json.dumps`. Parts of it are shared: not to be changed."""
    root = mapping(keys.PROJECT_FIELDS)
    root["patternProperties"][f"^{EXTENSION_PREFIX}"] = {
        "description": "The file's own: a place for anchors."
    }
    shared = [field for field in keys.TASK_FIELDS if field.kind in SHARED]
    return {
        "$schema": DIALECT,
        "title": "Procession project",
        "description": "What runs together: read by `procession up`, explained by "
        "`procession check`.",
        **root,
        "definitions": {
            "task": _task(),
            "listed-task": ref("task") | {"required": ["name"]},
            "defaults": mapping(keys.DEFAULT_FIELDS),
            "task-name": TASK_NAME,
            **{field.kind: KINDS[field.kind](field) for field in shared},
        },
    }


def _task() -> Schema:
    made = mapping(keys.TASK_FIELDS)
    name = keys.TASK_FIELDS[0]
    made["properties"]["name"] = {"description": name.doc} | ref("task-name")
    return made
