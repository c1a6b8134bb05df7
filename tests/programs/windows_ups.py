"""`procession up` with the given words, as a program of its own whose window can be closed."""

import sys

from procession.cli.main import main

sys.exit(main(["up", *sys.argv[1:]]))
