"""Writes docs/schema.json from the model's own tables: `python tools/schema.py [--check]`."""

from __future__ import annotations

import sys
from pathlib import Path

from procession.cli.schema import schema_text

FILE = Path(__file__).parent.parent / "docs" / "schema.json"


def main() -> int:
    if "--check" in sys.argv[1:]:
        if FILE.read_text(encoding="utf-8") == schema_text():
            return 0
        sys.stderr.write(f"{FILE} is not what the model says: run python tools/schema.py\n")
        return 1
    FILE.write_text(schema_text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
