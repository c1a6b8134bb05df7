"""An application with an executor on Windows: windows_executor.py HOW [ARGUMENT...]

run       `run()` in the main thread, until Ctrl-C comes out of it
wait, result, iterate, kill    the main thread is in that call when Ctrl-C comes
after     types into the console of a process by `kill`, then waits for a Ctrl-C in its own
shutdown  `run()` until `procession.shutdown` hears a request
dies SWEEP|LEAVE COUNT    starts families of three, and waits to be terminated
ends      the same, and comes to its end without any stop
console   in a console of its own, which the process uses as well; FILE is written to
bare      without any standard streams; FILE is written to
"""

import os
import sys
import threading
import time

from procession import shutdown
from procession.executor import PIPE, Capture, Executor, Lines, Step, executor

HERE = os.path.dirname(os.path.abspath(__file__))


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def program(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-S", os.path.join(HERE, f"{name}.py"), *arguments]


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


SLEEPS = python("import time; time.sleep(60)")


def in_call(how: str) -> None:
    """The main thread waits in it; Ctrl-C ends the waiting, and nothing else."""
    executor.start()
    lines = Lines()
    deaf = [os.path.join(os.environ["LAB_PROGRAMS"], "windows_console.exe"), "deaf"]
    handle = executor.create_process(deaf, stdout=lines)
    assert next(lines) == "ready"
    calls = {
        "wait": handle.wait,
        "result": handle.result,
        "iterate": lambda: list(lines),
        "kill": lambda: handle.kill(60),
    }
    say("ready")
    try:
        calls[how]()
    except KeyboardInterrupt:
        say("interrupted", handle.poll())
    handle.kill(0)
    say(handle.result().reason)
    executor.stop()
    executor.join()


def run() -> None:
    handle = executor.create_process(SLEEPS)
    threading.Timer(0.2, lambda: say("ready")).start()
    try:
        executor.run()
    except KeyboardInterrupt:
        say("interrupted", handle.poll() is not None, executor.processes)


def after() -> None:
    executor.start()
    with executor.create_process(program("windows_sigbreak", "break"), stdout=PIPE) as handle:
        assert handle.stdout is not None
        handle.stdout.readline()
        handle.kill()
    say("stopped", handle.returncode)
    executor.stop()
    executor.join()
    say("ready")
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        say("interrupted")


def hears_shutdown() -> None:
    shutdown.wait_exit_callback(executor.stop)
    handle = executor.create_process(SLEEPS)
    say("ready")
    executor.run()
    say(handle.result().reason, executor.processes)


def families(orphans: str, count: str) -> None:
    own = Executor(orphans=orphans.lower())
    own.start()
    for _ in range(int(count)):
        own.create_process(program("windows_family", "3"), stdout=1)


def in_console(file: str) -> None:
    executor.start()
    script = (
        "import ctypes, signal, sys, time\n"
        "kernel = ctypes.WinDLL('kernel32')\n"
        "mode = ctypes.c_ulong()\n"
        "kernel.GetStdHandle.restype = ctypes.c_void_p\n"
        "kernel.GetConsoleMode.argtypes = (ctypes.c_void_p, ctypes.c_void_p)\n"
        "shown = kernel.GetConsoleMode(kernel.GetStdHandle(-11), ctypes.byref(mode))\n"
        "sys.stderr.write(f'console {shown}\\n'); sys.stderr.flush()\n"
        "signal.signal(signal.SIGBREAK, lambda *_: sys.exit(5))\n"
        "sys.stderr.write('ready\\n'); sys.stderr.flush()\n"
        "while True: time.sleep(0.05)"
    )
    lines = Lines()
    handle = executor.create_process(python(script), stdout=None, stderr=lines)
    told = [next(lines), next(lines)]
    handle.stop([Step("SIGINT", "tree", 60), Step("SIGTERM", "tree", 60)])
    result = handle.result()
    told += [f"{result.reason} {result.exit_code}"]
    told += [text for _, text in result.stop_trace]
    with open(file, "w") as out:
        out.write("\n".join(told))
    executor.stop()
    executor.join()


def bare(file: str) -> None:
    for fd in (0, 1, 2):
        os.close(fd)
    executor.start()
    result = executor.create_process(
        python("import sys; sys.exit(7)"), stdin=None, stdout=None, stderr=Capture()
    ).result()
    with open(file, "w") as out:
        out.write(f"{result.exit_code}")
    executor.stop()
    executor.join()


how, arguments = sys.argv[1], sys.argv[2:]
if how in ("wait", "result", "iterate", "kill"):
    in_call(how)
elif how == "dies":
    families(*arguments)
    time.sleep(600)
elif how == "ends":
    families(*arguments)
    sys.stdin.read(1)
else:
    {
        "run": run,
        "after": after,
        "shutdown": hears_shutdown,
        "console": in_console,
        "bare": bare,
    }[how](*arguments)
