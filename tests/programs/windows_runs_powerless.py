"""`procession run` with the given words, where a job cannot be terminated. Played."""

import sys

from procession.cli.main import main
from procession.process import _win32 as win

win.terminate_job = lambda job, code: None
sys.exit(main(["run", *sys.argv[1:]]))
