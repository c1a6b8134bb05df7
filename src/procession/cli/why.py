"""`procession why TASK`: how it is, why, and what came before."""

from __future__ import annotations

from procession.cli.printing import print_out
from procession.cli.running import connect, none_of, parser_for, told_failure
from procession.control.protocol import chosen
from procession.control.words import told
from procession.errors import ProcessionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str]) -> int:
    parser = parser_for("why", "Say how tasks are, why, and what came before.")
    parser.add_argument("names", nargs="+", metavar="TASK", help="tasks, or replicas of them")
    given = parser.parse_args(list(words))
    try:
        client = connect(given.file, given.project)
        try:
            rows = client.replicas()["replicas"]
        finally:
            client.close()
        try:
            rows = chosen(rows, given.names)
        except KeyError as e:
            raise none_of(e.args[0], rows, client.about) from None
    except ProcessionError as e:
        return told_failure(e)
    print_out(
        "\n".join("".join(f"{line}\n" for line in told(row, client.about.logs)) for row in rows)
    )
    return 0
