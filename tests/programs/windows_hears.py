"""A hosted program on Windows, told by its first argument how it asks; says what arrived.

wait, callback, stop-loop-proactor, stop-loop-selector, await-proactor, await-selector, several,
twice, c-call (returns when stdin ends), http, slow (clean-up lasts until stdin ends), nothing
(installs and gives back)
"""

import asyncio
import ctypes
import http.server
import os
import sys
import threading

from procession import shutdown


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def loop_of(how: str) -> asyncio.AbstractEventLoop:
    return asyncio.ProactorEventLoop() if how.endswith("proactor") else asyncio.SelectorEventLoop()


def wait() -> None:
    shutdown.install()
    say("ready")
    request = shutdown.wait_exit()
    assert request is not None
    say("heard", request.source, request.reason)


def callback() -> None:
    done = threading.Event()
    shutdown.wait_exit_callback(lambda: (say("callback"), done.set()))
    say("ready")
    done.wait()


def stop_loop(how: str) -> None:
    loop = loop_of(how)
    shutdown.wait_exit_stop_loop(loop)
    loop.call_soon(say, "ready")
    loop.run_forever()
    loop.close()
    say("stopped")


def awaits(how: str) -> None:
    async def main() -> None:
        assert await shutdown.wait_exit_async(0.01) is None
        say("ready")
        request = await shutdown.wait_exit_async()
        assert request is not None
        say("heard", request.source, request.reason)

    loop = loop_of(how)
    loop.run_until_complete(main())
    loop.close()


def several() -> None:
    shutdown.install()
    lock, count = threading.Lock(), [0]

    def waiter() -> None:
        assert shutdown.wait_exit() is not None
        with lock:
            count[0] += 1

    threads = [threading.Thread(target=waiter) for _ in range(5)]
    for thread in threads:
        thread.start()
    say("ready")
    waiter()
    for thread in threads:
        thread.join()
    say("waiters", count[0])


def twice() -> None:
    for number in (1, 2):
        with shutdown.Shutdown() as stop:
            say("ready", number)
            request = stop.wait()
            assert request is not None
            say("heard", request.reason, request.count)


def c_call() -> None:
    shutdown.wait_exit_callback(lambda: say("callback"))
    kernel = ctypes.WinDLL("kernel32")
    kernel.GetStdHandle.restype = ctypes.c_void_p
    stdin = ctypes.c_void_p(kernel.GetStdHandle(-10))
    say("ready")
    kernel.ReadFile(stdin, ctypes.create_string_buffer(1), 1, ctypes.byref(ctypes.c_uint32()), None)
    say("returned")


def serve() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    shutdown.wait_exit_callback(server.shutdown)
    say("ready")
    server.serve_forever()
    server.server_close()
    say("closed")


def slow() -> None:
    with shutdown.Shutdown() as stop:
        say("ready")
        request = stop.wait()
        assert request is not None
        say("heard", request.source, request.reason, request.deadline is not None)
        os.read(0, 1)
        say("clean")


def class_is_there() -> bool:
    user, kernel = ctypes.WinDLL("user32"), ctypes.WinDLL("kernel32")
    kernel.GetModuleHandleW.restype = ctypes.c_void_p
    module = ctypes.c_void_p(kernel.GetModuleHandleW(None))
    room = ctypes.create_string_buffer(80)  # WNDCLASSEXW
    room[:4] = (80).to_bytes(4, "little")
    return bool(user.GetClassInfoExW(module, ctypes.c_wchar_p("ProcessionShutdown"), room))


def nothing() -> None:
    with shutdown.Shutdown():
        say("class", class_is_there())
    say("class", class_is_there())
    say("ready")
    os.read(0, 1)


how = sys.argv[1]
if how.startswith("stop-loop"):
    stop_loop(how)
elif how.startswith("await"):
    awaits(how)
else:
    {
        "wait": wait,
        "callback": callback,
        "several": several,
        "twice": twice,
        "c-call": c_call,
        "http": serve,
        "slow": slow,
        "nothing": nothing,
    }[how]()
