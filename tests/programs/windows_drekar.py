"""A program written for drekar-launch-process: windows_drekar.py wait|callback|stop-loop."""

import asyncio
import os
import sys
import threading

import drekar_launch_process


def say(words: str) -> None:
    os.write(1, words.encode() + b"\n")


how = sys.argv[1]
if how == "wait":
    # it hears from here on; before, Ctrl-C would be Python's own
    drekar_launch_process.wait_exit_callback(lambda: None)
    say("ready")
    drekar_launch_process.wait_exit()
elif how == "callback":
    called = threading.Event()
    drekar_launch_process.wait_exit_callback(called.set)
    say("ready")
    called.wait()
else:
    loop = asyncio.new_event_loop()
    drekar_launch_process.wait_exit_stop_loop(loop)
    loop.call_soon(say, "ready")
    loop.run_forever()
    loop.close()
say("clean")
