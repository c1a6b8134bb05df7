"""A leader with background children and daemonised descendants; all obey, or all are deaf.

NAME obedient|deaf CHILDREN DAEMONS [STATUS]. With a STATUS the leader ends with it as soon as
every member is ready, and leaves the others behind. With a FIFO in GATE the leader waits there
after it heard the request, and says when it leaves.
"""

import os
import sys

import up_stage

kind, children, daemons = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def live(name: str) -> None:
    up_stage.ready(name)
    os.close(write)
    if kind == "deaf":
        up_stage.forever()
    up_stage.hear(name)
    if name == up_stage.NAME and "GATE" in os.environ:
        up_stage.gate(os.environ["GATE"])
        up_stage.say("leaves", os.getpid())


(up_stage.block if kind == "obedient" else up_stage.ignore)()
read, write = os.pipe()
for number in range(children + daemons):
    word, birth = ("child", lambda: os.fork() == 0)
    if number >= children:
        word, birth = ("daemon", up_stage.daemonise)
    if birth():
        os.close(read)
        live(f"{up_stage.NAME}.{word}{number}")
        os._exit(0)
if len(sys.argv) > 5:
    os.close(write)
    os.read(read, 1)  # ends when the last of them is ready
    up_stage.say("leaves", os.getpid())
    os._exit(int(sys.argv[5]))
live(up_stage.NAME)
