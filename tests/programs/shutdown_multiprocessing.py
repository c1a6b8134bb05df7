"""A multiprocessing child, by the start method of the first argument: it "waits" or has a
"callback" that lasts longer than its main thread; the parent has installed, too."""

import multiprocessing
import os
import sys

from procession import shutdown


def wait() -> None:
    shutdown.install()
    print("child ready", os.getpid(), flush=True)
    request = shutdown.wait_exit()
    print("child heard", request and request.reason, flush=True)


def be_called() -> None:
    def callback() -> None:
        os.write(1, b"begin\n")
        with open(os.environ["GATE"], "rb") as gate:
            gate.read()
        os.write(1, b"end\n")

    shutdown.wait_exit_callback(callback)
    print("child ready", os.getpid(), flush=True)
    shutdown.wait_exit()
    os.write(1, b"main of child returns\n")


if __name__ == "__main__":
    shutdown.install()
    context = multiprocessing.get_context(sys.argv[1])
    child = context.Process(target=wait if sys.argv[2] == "waits" else be_called)
    child.start()
    child.join()
    print("child ended with", child.exitcode, "- parent:", shutdown.wait_exit(0), flush=True)
