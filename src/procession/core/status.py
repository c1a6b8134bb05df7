"""How a leader ended, as a value that every floor above shares."""

from __future__ import annotations

from procession._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

# Linux, macOS and the BSDs agree on these numbers; others are told by number.
_SIGNAL_WORDS = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT",
    8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
    24: "SIGXCPU", 25: "SIGXFSZ",
}  # fmt: skip

# Those by which the system tells a program of its own mistake.
_MISTAKES = {
    4: "illegal instruction", 6: "aborted", 8: "arithmetic error", 11: "segmentation fault",
    13: "it wrote where nobody reads any more",
    24: "beyond its limit of processor time", 25: "beyond its limit of a file's size",
}  # fmt: skip

# What Windows ends a process with (NTSTATUS): the codes that people meet.
_WINDOWS_WORDS = {
    0xC0000005: "as Windows ends a program for an access violation",
    0xC00000FD: "as Windows ends a program whose stack is full",
    0xC0000135: "as Windows ends a program one of whose DLLs is not there",
    0xC0000139: "as Windows ends a program one of whose DLLs lacks a function",
    0xC0000142: "as Windows ends a program one of whose DLLs failed to begin",
    0xC000013A: "as Windows ends a program that does not handle Ctrl-C or Ctrl-Break",
    0xC0000409: "as Windows ends a program that found its own stack or heap overwritten",
}

# What shells exit with for what they could not run (POSIX, 2.8.2): a code of 126 or 127 is as a
# rule not the program's own.
_SHELL_WORDS = {
    126: "as shells do for a program that may not be executed",
    127: "as shells do for a program that is not there",
}

STATUS_UNKNOWN = 1  # what `up` exits with for a leader whose status somebody else took


class ExitStatus(Record):
    """Exit code, or signal, or neither: "status unknown", when somebody else reaped the process.

    `code` is 0..255, on Windows 32 bits; `signal` a signal number; at most one of them is set.
    Never an invented 0.
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
            shown = self.code if self.code < 0xC0000000 else f"{self.code:#X}".replace("X", "x")
            return f"exited with {shown}"
        if self.signal is None:
            return "status unknown"
        name = _SIGNAL_WORDS.get(self.signal, f"signal {self.signal}")
        words = [_MISTAKES.get(self.signal, ""), "core dumped" if self.core_dumped else ""]
        told = ", ".join(filter(None, words))
        return f"killed by {name} ({told})" if told else f"killed by {name}"

    @property
    def hint(self) -> str:
        """What is probably behind an end that nobody asked for; empty where nothing is known."""
        if self.signal == 9:
            return "not by us: by another process, or for lack of memory"
        code = self.code or 0
        if code > 128 and (name := _SIGNAL_WORDS.get(code - 128)) is not None:
            return f"as shells do when {name} killed a program"
        return _SHELL_WORDS.get(code) or _WINDOWS_WORDS.get(code, "")
