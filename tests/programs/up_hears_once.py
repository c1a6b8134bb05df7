"""Hears one request, waits at a gate, and tells what else was asked meanwhile. NAME GATE"""

import signal
import sys

import up_stage

up_stage.block()
up_stage.ready()
up_stage.hear()
up_stage.gate(sys.argv[2])
up_stage.say("pending", *sorted(number.name for number in signal.sigpending()))
