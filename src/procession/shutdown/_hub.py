"""The one installation of this process: who uses it, when it begins and when it ends."""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock

from ._core import Session, in_main_thread
from ._request import NotInstalledError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._core import Ear

_lock = allocate_lock()
_session: Session | None = None
_fork_hooks = False

# The users that never go: whoever called install(), or a wait that is not an object.
FOR_LIFE = "the process"


def _make_ear(session: Session) -> Ear:
    if sys.platform == "win32":
        from ._windows import WindowsEar

        return WindowsEar(session)
    else:  # noqa: RET505 (mypy follows the platform only through if/else)
        from ._posix import PosixEar

        return PosixEar(session)


def hold(
    user: object, call: str, *, force: bool = False, share: bool = False, retake: bool = False
) -> Session:
    """The session of this process, begun if there is none, with `user` among its users.

    `force` and `share` stay set until the session ends: one user's wish binds all.
    `retake`: signals that somebody set to their defaults since are taken back (main thread).
    Raises NotInstalledError, naming `call`, where it would have to begin off the main thread.
    """
    while (session := _join(user)) is None:
        _begin(call, share)
    if retake and in_main_thread():
        session.ear.open()
    if share:
        session.ear.share()
    if force and not session.force:
        session.force = True
        session.ear.listen()  # a repeat must be acted on also where nobody waits
    return session


def _join(user: object) -> Session | None:
    with _lock:
        session = _session
        if session is None or not session.ear.orphan(False):
            return None
        session.users.add(user)
        return session


def release(user: object, session: Session) -> bool:
    """`user` goes. True if it was the last one and everything was put back."""
    global _session
    if session.pid != os.getpid():
        return False
    with _lock:
        if _session is not session or user not in session.users:
            return False
        session.users.discard(user)
        if session.users:
            return False
        if not in_main_thread():
            session.ear.orphan(True)
            return False
        _session = None
    _end(session)
    return True


def _begin(call: str, share: bool) -> Session:
    global _session
    if not in_main_thread():
        raise NotInstalledError(call)
    import atexit

    with _lock:
        gone, _session = _session, None
    if gone is not None:
        # Orphaned, and a signal made the handler put back the dispositions. The rest is left.
        _end(gone)
    session = Session()
    session.ear = _make_ear(session)
    if share:
        session.ear.share()
    try:
        session.ear.open()
    except ValueError:
        # signal.signal: the main thread, but of another interpreter than the main one
        raise NotInstalledError(call) from None
    _hook_forks()
    atexit.register(session.at_exit)
    _session = session
    return session


def _end(session: Session) -> None:
    import atexit

    atexit.unregister(session.at_exit)
    session.ear.close()


def _hook_forks() -> None:
    """Once per process: fork hooks cannot be taken out again."""
    global _fork_hooks
    if _fork_hooks or sys.platform == "win32":
        return
    from . import _posix

    _fork_hooks = True
    os.register_at_fork(
        before=lambda: _posix.hold_signals() if _session is not None else None,
        after_in_parent=_posix.let_signals,
        after_in_child=_in_child,
    )


def _in_child() -> None:
    """A forked child begins as if nothing had been installed.

    Its parent's waits and callbacks are not its own, and its threads are gone. Were the handlers
    kept, a child that never asks would be deaf: multiprocessing's `terminate()` and a Pool's end
    would hang on it. A child that wants to hear installs for itself.
    """
    global _lock, _session
    session, _session = _session, None
    _lock = allocate_lock()  # another thread of the parent may have held it
    if session is not None:
        session.ear.abandon()
    if sys.platform != "win32":
        from . import _posix

        _posix.let_signals()
        _posix.forget_masks()
