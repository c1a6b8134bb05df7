"""Ends when it is asked to. NAME [STATUS]"""

import sys

import up_stage

up_stage.block()
up_stage.ready()
up_stage.hear()
sys.exit(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
