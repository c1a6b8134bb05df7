"""How a leader ended, as a value that every floor above shares."""

from __future__ import annotations

from procession._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

# Linux, macOS and the BSDs agree on these numbers; others are told by number.
_SIGNAL_WORDS = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT",
    8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
}  # fmt: skip

STATUS_UNKNOWN = 1  # what `up` exits with for a leader whose status somebody else took


class ExitStatus(Record):
    """Exit code, or signal, or neither: "status unknown", when somebody else reaped the process.

    `code` is 0..255, `signal` a signal number; at most one of them is set. Never an invented 0.
    """

    code: int | None = None
    signal: int | None = None
    core_dumped: bool = False

    @property
    def unknown(self) -> bool:
        return self.code is None and self.signal is None

    @property
    def shell_status(self) -> int:
        """What a shell would say: the code, or 128 + N for signal N; 1 where it is unknown."""
        if self.code is not None:
            return self.code
        return STATUS_UNKNOWN if self.signal is None else 128 + self.signal

    def succeeded(self, success_codes: Container[int] = (0,)) -> bool:
        return self.code is not None and self.code in success_codes

    def __str__(self) -> str:
        if self.code is not None:
            return f"exited with {self.code}"
        if self.signal is None:
            return "status unknown"
        name = _SIGNAL_WORDS.get(self.signal, f"signal {self.signal}")
        return f"killed by {name}" + (" (core dumped)" if self.core_dumped else "")
