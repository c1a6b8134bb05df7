"""Tell the process manager how this program is: ready, reloading, busy until, stopping.

A client of the `sd_notify` protocol that systemd, podman and others listen to: one datagram of
`NAME=value` lines to the unix socket that the manager names in `NOTIFY_SOCKET`. The rules are those
of sd_notify(3), sd_watchdog_enabled(3) and systemd.service(5).

    from procession import notify

    notify.ready(status="listening on :8080")
    ...
    notify.stopping()

What all functions promise:

- **Silent where nobody listens.** They return False, and do nothing else, when `NOTIFY_SOCKET` is
  unset or empty, when no socket is there or none is open behind it (the manager is gone), and on
  Windows, where the protocol does not exist. So a program calls them always, under any manager.
- **True means handed over**, not acted upon: the kernel has put the message into the manager's
  queue. What it became of there only `barrier()` can tell, and whether the manager wanted it (see
  `NotifyAccess=` in systemd.service(5)) not even that.
- **Never blocked for long.** The queue of a datagram socket is short (10 messages on Linux,
  `net.unix.max_dgram_qlen`), and a manager that hangs does not empty it. A call waits at most
  `SEND_TIMEOUT` seconds for a place; then the message is dropped and the call returns False. An
  event loop that cannot spare that passes `send(..., timeout=0)`.
- **Mistakes are loud.** ValueError, before anything is sent and whether or not anybody listens, for
  what a manager would drop or misread: a line break or NUL inside a value, a name that is none, a
  message above 4096 bytes, a `NOTIFY_SOCKET` that cannot be an address. OSError for what is wrong
  with this host: no permission for the socket, no descriptor left.
- **Any thread, any fork.** Nothing is kept between calls: no lock, no descriptor, no address. Each
  call opens a socket (close-on-exec) and closes it. Nothing is unset in the environment: a child
  inherits `NOTIFY_SOCKET`; a program that minds takes it out of `os.environ` after its last call.

AF_VSOCK addresses (`vsock:CID:PORT`), which a virtual machine's init speaks, are not supported.
"""

from __future__ import annotations

import os
import sys
import time
from errno import ECONNREFUSED, ECONNRESET, ENOBUFS, ENOENT, ENOTDIR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MESSAGE_MAX",
    "SEND_TIMEOUT",
    "barrier",
    "errno",
    "extend",
    "mainpid",
    "notify",
    "ready",
    "reloading",
    "send",
    "status",
    "stopping",
    "watchdog",
    "watchdog_interval",
]

SEND_TIMEOUT = 1.0
"""Seconds a call waits for a place in the queue of a manager that does not read."""

MESSAGE_MAX = 4096
"""Bytes of one message: systemd reads into a buffer of PIPE_BUF bytes and drops what is longer."""

# sizeof(sockaddr_un.sun_path). A path needs its terminating NUL inside, an abstract name does not.
_SUN_PATH = 108 if sys.platform == "linux" else 104

# errnos of connect and send that mean "nobody is there": never there, or gone since.
_NOBODY = (ENOENT, ENOTDIR, ECONNREFUSED, ECONNRESET)

# What systemd takes for an infinite or unset time, as text in WATCHDOG_USEC.
_USEC_INFINITY = 2**64 - 1

_ERRNO_MAX = 4095  # the kernel's MAX_ERRNO

_POLL_MAX = 2**31 - 1  # poll() takes a C int of milliseconds: 24 days


def ready(status: str | None = None) -> bool:
    """Start-up is over, or a reload is: `READY=1`, with `STATUS=` in the same message if given.

    For `Type=notify` and `notify-reload`; elsewhere it does no harm. There is no "not ready".
    """
    return _state("READY=1", status)


def reloading(status: str | None = None) -> bool:
    """A reload of the configuration begins; `ready()` must follow when it is over.

    Sends the time of CLOCK_MONOTONIC along (`MONOTONIC_USEC=`), by which the manager tells this
    reload from an earlier one: without it, `systemctl reload` of a `Type=notify-reload` service
    does not take the message for its answer and times out (systemd.service(5)).
    """
    # PEP 418: on Linux, time.monotonic is CLOCK_MONOTONIC.
    return _state(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}", status)


def stopping(status: str | None = None) -> bool:
    """The program begins to stop. Final: systemd since 259 lets no later message undo it."""
    return _state("STOPPING=1", status)


def status(text: str) -> bool:
    """One line for people, as `systemctl status` shows it. ValueError for a line break in it."""
    return send(_field("STATUS", text))


def watchdog(*, trigger: bool = False) -> bool:
    """Still alive; or, with `trigger=True`: something is wrong, act as if this had not come.

    To be sent every half `watchdog_interval()`, from the loop whose life is to be proved: a thread
    that only sends this proves that the thread lives.
    """
    return send("WATCHDOG=trigger" if trigger else "WATCHDOG=1")


def watchdog_interval() -> float | None:
    """Seconds within which the manager wants each `watchdog()`, or None if it wants none of us.

    From `WATCHDOG_USEC`, and only if `WATCHDOG_PID` is unset or our own pid: a child that inherited
    the variables, forked or spawned, gets None. Callers send every half of it
    (sd_watchdog_enabled(3)). ValueError if the manager wrote something that is no number.
    """
    pid = os.environ.get("WATCHDOG_PID")
    if pid and _number("WATCHDOG_PID", pid) != os.getpid():
        return None
    usec = _number("WATCHDOG_USEC", os.environ.get("WATCHDOG_USEC") or "0")
    return None if usec in (0, _USEC_INFINITY) else usec / 1e6


def extend(seconds: float) -> bool:
    """Give this start, run or stop more time: another message comes within so many seconds.

    It only ever lengthens the timeout that runs now, and must be repeated before `seconds` are over
    (`EXTEND_TIMEOUT_USEC=`, sd_notify(3)). ValueError unless positive and finite.
    """
    if not 0 < seconds < float("inf"):
        raise ValueError(f"extend: {seconds!r} is not a positive, finite number of seconds")
    return send(f"EXTEND_TIMEOUT_USEC={max(1, round(seconds * 1e6))}")


def errno(number: int) -> bool:
    """The program fails for this reason, an errno of its own (`ERRNO=2` is ENOENT)."""
    if not 0 <= number <= _ERRNO_MAX:
        raise ValueError(f"errno: {number!r} is none; expected 0 to {_ERRNO_MAX}")
    return send(_field("ERRNO", number))


def mainpid(pid: int) -> bool:
    """The main process of this service is now `pid` (after a fork or a handover, say)."""
    if pid <= 0:
        raise ValueError(f"mainpid: {pid!r} is no process id")
    return send(_field("MAINPID", pid))


def notify(**fields: str | int) -> bool:
    """Send these fields in one message: `notify(READY=1, STATUS="up", X_SHOP_ORDERS=17)`.

    Names go out as written; managers know only capitals, so anything else is a ValueError. Values
    are text or whole numbers (else TypeError); True is `1`. A name of your own begins with `X_`
    (sd_notify(3)).
    """
    if not fields:
        raise ValueError("notify: no field given")
    return send("\n".join(_field(name, value) for name, value in fields.items()))


def send(text: str, *, fds: Sequence[int] = (), timeout: float = SEND_TIMEOUT) -> bool:
    """Send a whole message, lines of `NAME=value`, with open descriptors if wanted (`FDSTORE=1`).

    `timeout`: seconds to wait for a place in a full queue; 0 does not wait. For text from outside
    use `notify` or `status`: here a line break is a separator, so it is yours to keep it out.
    """
    if any(line.startswith("BARRIER=") for line in text.split("\n")):
        raise ValueError("BARRIER needs a descriptor and a message of its own: call barrier()")
    return _deliver(text, fds, timeout)


def barrier(timeout: float = 5.0) -> bool:
    """Wait until the manager has taken all earlier messages out of its queue; at most `timeout` s.

    True: everything sent before was processed. False: nobody listens, or the time is over. Needed
    by a helper that notifies and ends at once: systemd may look the sender up when it is gone, and
    then drops the message (sd_notify(3), systemd since 246).

    How: the write end of a pipe travels with `BARRIER=1`, and the manager closes it when it comes
    to that message. The protocol has two blind spots: a manager that dies with the message unread
    closes it as well; a child forked meanwhile by another thread, and not yet exec'd, keeps a copy
    open, which only makes the wait longer.
    """
    if not 0 <= timeout < float("inf"):
        raise ValueError(f"barrier: {timeout!r} is not a finite number of seconds from 0")
    if sys.platform == "win32":
        _address()  # a wrong one is told everywhere
        return False
    import select

    deadline = time.monotonic() + timeout
    watched, given = os.pipe()
    try:
        try:
            if not _deliver("BARRIER=1", (given,), timeout):
                return False
        finally:
            os.close(given)  # else our own copy would keep the pipe open
        # Not select(): it cannot watch descriptors from 1024 on. A mask of 0 still gives POLLHUP.
        poll = select.poll()
        poll.register(watched, 0)
        left = max(0.0, deadline - time.monotonic())
        return bool(poll.poll(min(left * 1000, _POLL_MAX)))
    finally:
        os.close(watched)


def _state(head: str, status: str | None) -> bool:
    return send(head if status is None else f"{head}\n{_field('STATUS', status)}")


def _field(name: str, value: str | int) -> str:
    if not _is_name(name):
        raise ValueError(f"{name!r} is no field name (capitals, digits, underscores)")
    if isinstance(value, int):
        value = int(value)  # True is 1
    elif not isinstance(value, str):
        raise TypeError(f"{name}: {value!r} is a {type(value).__name__}; expected text or an int")
    # \r too: systemd splits a message at both (manager_invoke_notify_message).
    if "\n" in (text := str(value)) or "\r" in text:
        raise ValueError(f"{name}: a line break in {text!r} would begin another field")
    return f"{name}={text}"


def _number(name: str, text: str) -> int:
    # int() takes signs, blanks and underscores, which no manager writes.
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{name}={text!r} in the environment is no whole number")
    return int(text)


def _payload(text: str) -> bytes:
    """The message as it goes out. ValueError for anything that a manager drops or misreads."""
    for line in text.split("\n"):
        name, equals, _ = line.partition("=")
        if line and not (equals and _is_name(name)):
            raise ValueError(f"{line!r} is no NAME=value (capitals, digits, underscores)")
    payload = text.encode()  # strict: a lone surrogate is a UnicodeEncodeError, so a ValueError
    if b"\0" in payload or b"\r" in payload:
        raise ValueError(f"a message with NUL or carriage return would be misread: {text!r}")
    if not payload.strip():
        raise ValueError("the message is empty")
    if len(payload) > MESSAGE_MAX:
        raise ValueError(
            f"the message has {len(payload)} bytes; managers drop what is above {MESSAGE_MAX}"
        )
    return payload


def _is_name(name: str) -> bool:
    return (
        name.isascii()
        and name.replace("_", "A").isalnum()
        and name == name.upper()
        and not name[0].isdigit()
    )


def _address() -> bytes | None:
    """The socket of the manager, as the kernel wants it; None if there is no manager to tell."""
    named = os.environ.get("NOTIFY_SOCKET")
    if not named:
        return None
    raw = os.fsencode(named)  # bytes: a path need not be UTF-8
    problem = ""
    if raw.startswith(b"@"):
        raw, room = b"\0" + raw[1:], _SUN_PATH
        if sys.platform != "linux":
            problem = "only Linux has abstract sockets"
    else:
        room = _SUN_PATH - 1
        if not raw.startswith(b"/"):
            problem = "expected an absolute path or @name"
    if len(raw) > room:
        problem = f"{len(raw)} bytes, and a unix socket address holds {room}"
    if problem:
        raise ValueError(f"NOTIFY_SOCKET={named!r} is no address: {problem}")
    return raw


def _deliver(text: str, fds: Sequence[int], timeout: float) -> bool:
    if not 0 <= timeout < float("inf"):
        raise ValueError(f"timeout: {timeout!r} is not a finite number of seconds from 0")
    payload = _payload(text)
    address = _address()
    if address is None:
        return False
    if sys.platform == "win32":
        return False  # CPython has no AF_UNIX there, and no manager speaks this

    import socket

    control = []
    if fds:
        from array import array

        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:  # close-on-exec: PEP 446
        sock.settimeout(timeout)
        try:
            # connect, then send: poll() looks at the queue of a *connected* peer. With sendto the
            # socket counts as writable always, and waiting for a place would be a busy loop.
            sock.connect(address)
            sock.sendmsg([payload], control)
        except (TimeoutError, BlockingIOError):
            return False  # the queue stayed full
        except OSError as error:
            if error.errno == ENOBUFS or error.errno in _NOBODY:  # ENOBUFS: full, as BSDs say it
                return False
            raise
    return True
