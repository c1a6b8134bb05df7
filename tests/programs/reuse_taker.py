"""First process of a pid namespace: gives the pids of the dead to strangers. FOLDER COMMAND...

Runs the command, with the path of a FIFO in TAKER. Whoever writes `PID ANSWER` there asks for
that number to be taken as soon as it is free; a byte comes into the FIFO ANSWER when that is done.
A stranger leads a session and a group, and has all signals blocked, so that whatever it was sent is
seen to be pending. When nobody but strangers is left it says, as JSON, the status of the command,
how many pids were taken, which could not be, and which strangers were told anything, and what. It
also understands `signal NUMBER PID`, where 0 is the command. See `reuse_client.py`.
"""

import contextlib
import json
import os
import select
import signal
import sys
import time

PATIENCE = 10.0  # seconds until a pid is free

folder, *command = sys.argv[1:]
strangers = set()
told = {}
missed = []
subject = status = None


def reap():
    """Orphans come to us as well."""
    global status
    while True:
        try:
            pid, how = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid == subject:
            status = os.waitstatus_to_exitcode(how)
        elif pid in strangers:
            told[pid] = f"ended by {os.waitstatus_to_exitcode(how)}"


def stranger():
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    os.closerange(0, 1024)
    while True:
        signal.sigwait({signal.SIGRTMAX})  # which nobody sends


def take(pid):
    if pid in strangers:  # somebody else was quicker, with the same number, and is gone too
        return True
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        reap()
        if not os.path.exists(f"/proc/{pid}"):
            with open("/proc/sys/kernel/ns_last_pid", "w") as file:
                file.write(str(pid - 1))
            found = os.fork()
            if found == 0:
                if os.getpid() == pid:
                    stranger()
                os._exit(0)
            if found == pid:
                strangers.add(pid)
                return True
        else:
            os.sched_yield()
    missed.append(pid)
    return False


def others():
    return {int(name) for name in os.listdir("/proc") if name.isdecimal()} - strangers - {1}


def look(pid):
    """What a stranger was sent: pending, or it has stopped."""
    with open(f"/proc/{pid}/status") as file:
        facts = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    bits = int(facts["SigPnd"], 16) | int(facts["ShdPnd"], 16)
    pending = [number for number in signal.valid_signals() if bits >> (number - 1) & 1]
    if pending or facts["State"][0] in "Tt":
        told[pid] = f"{facts['State']}, pending {pending}"


def serve(line):
    if line.startswith("signal"):
        number, pid = map(int, line.split()[1:])
        os.kill(pid or subject, number)
    else:
        pid, path = line.split()
        taken = take(int(pid))
        with contextlib.suppress(OSError):  # who asked is gone
            answer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(answer, b"y" if taken else b"n")
            finally:
                os.close(answer)


wake, wakes = os.pipe()
for fd in (wake, wakes):
    os.set_blocking(fd, False)
signal.signal(signal.SIGCHLD, lambda *_: None)
signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
os.environ["TAKER"] = os.path.join(folder, "taker")
os.mkfifo(os.environ["TAKER"])
asked = os.open(os.environ["TAKER"], os.O_RDWR | os.O_NONBLOCK)
subject = os.fork()
if subject == 0:
    signal.set_wakeup_fd(-1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    os.execvp(command[0], command)

rest = b""
while True:
    reap()
    ready = select.select([asked, wake], [], [], 0)[0]
    if not ready:
        if status is not None and not others():
            break
        ready = select.select([asked, wake], [], [])[0]
    if wake in ready:
        os.read(wake, 4096)
    if asked in ready:
        *lines, rest = (rest + os.read(asked, 65536)).split(b"\n")
        for line in lines:
            serve(line.decode())
for pid in strangers - told.keys():
    look(pid)
print(json.dumps({"status": status, "taken": len(strangers), "missed": missed, "told": told}))
