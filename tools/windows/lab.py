"""Runs a command of tests in a Windows CPython under Wine, without a screen and without Windows.

    PYTHON tools/windows/lab.py [ARGUMENTS OF python.exe] [+ ARGUMENTS OF ANOTHER...]

`make test-windows` calls it. The first run builds the lab, in about half a minute, from what is
pinned here and in requirements/windows.txt by version and hash:

- python311.dll and the extension modules are python.org's own, which a panda3d wheel carries;
- the pure-Python standard library is that of a CPython 3.11 of this machine;
- python.exe is compiled here (python.c), and so are the C programs of tests/programs;
- the tests' own wheels are unpacked beside it.

It lies in the user's cache, under a name made of all that it depends on, so what is found there
is what would be built; nothing of it is ever committed. Wine, its preloader and the cross compiler
are Debian packages; root installs them where they are missing, everybody else is told what to
install.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAMS = ROOT / "tests" / "programs"
REQUIREMENTS = ROOT / "requirements" / "windows.txt"

MINOR = "3.11"
TAG = "311"
CARRIER = (
    "panda3d==1.10.16 "
    "--hash=sha256:37acfb92655c4226879f95c988e2ef1449a53c54486d6c1ebc00e2772429af82"
)
FOR_WINDOWS = (
    *("--only-binary=:all:", "--platform=win_amd64", "--implementation=cp"),
    *(f"--python-version={MINOR}", f"--abi=cp{TAG}", "--abi=abi3", "--abi=none"),
)
DEBIAN = ("wine64", "wine64-preloader", "wine", "gcc-mingw-w64-x86-64-win32")
DEBIAN_WINE = Path("/usr/lib/wine/wine64")
PATIENCE = 300  # seconds for what takes a few of them on a machine with nothing else to do
COMPILERS = ("x86_64-w64-mingw32-gcc", "x86_64-w64-mingw32-gcc-win32")


class MissingError(Exception):
    """Something this machine lacks, in words that say what to do."""


def main(arguments: list[str]) -> int:
    # `timeout` sends it: what runs in Wine is to be ended all the same
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "procession-windows"
    try:
        tools = Tools()
        stdlib, version = standard_library()
        lab = Lab(cache / key(version, tools), tools)
        cache.mkdir(parents=True, exist_ok=True)
        with open(cache / "lock", "w") as lock:
            hold(lock)
            lab.build(stdlib)
            return lab.run(arguments)
    except MissingError as missing:
        print(f"the Windows lab: {missing}", file=sys.stderr)
        return 1


class Tools:
    """Wine and the cross compiler of this machine."""

    def __init__(self) -> None:
        if sys.platform != "linux" or os.uname().machine != "x86_64":
            raise MissingError("it needs Linux on x86-64; on Windows run pytest itself")
        if self._missing():
            self._install()
        if missing := self._missing():
            raise MissingError(
                f"after the installation there is still no {' and no '.join(missing)}"
            )
        wine, compiler = self._wine(), self._compiler()
        assert wine is not None
        assert compiler is not None
        self.wine, self.compiler = wine, compiler
        self.resources = compiler.replace("gcc-win32", "gcc").removesuffix("gcc") + "windres"
        server = shutil.which("wineserver") or str(Path(wine).parent / "wineserver")
        self.server = server
        self.version = output([self.wine, "--version"]).strip()

    @staticmethod
    def _wine() -> str | None:
        # Debian's `wine` is a script that advertises wine32 on stderr
        if os.access(DEBIAN_WINE, os.X_OK):
            return str(DEBIAN_WINE)
        return shutil.which("wine64") or shutil.which("wine")

    @classmethod
    def _preloader(cls) -> str | None:
        """Keeps the address 0x7ffe0000 free, where each process has what it shares with the
        system. Without it about one start in some thousands fails ("Internal error", 1359) on
        Linux 6.9 and newer, which may put the heap of this executable there. Debian has it in a
        package of its own; others have it with Wine."""
        if cls._wine() != str(DEBIAN_WINE):
            return cls._wine()
        beside = f"{DEBIAN_WINE}-preloader"
        return beside if os.access(beside, os.X_OK) else None

    @staticmethod
    def _compiler() -> str | None:
        return next((found for name in COMPILERS if (found := shutil.which(name))), None)

    def _missing(self) -> list[str]:
        wanted = {
            "Wine": self._wine(),
            "preloader of Wine": self._preloader(),
            "cross compiler": self._compiler(),
        }
        return [name for name, found in wanted.items() if found is None]

    def _install(self) -> None:
        apt = ["apt-get", "-q", "-o", "Acquire::Retries=3"]
        command = [*apt, "install", "-y", "--no-install-recommends", *DEBIAN]
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise MissingError(
                f"no {' and no '.join(self._missing())} here. On Debian or Ubuntu, as root: "
                f"apt-get install --no-install-recommends {' '.join(DEBIAN)}"
            )
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in ([*apt, "update"], command):
            if subprocess.run(words, env=quiet, stdin=subprocess.DEVNULL, check=False).returncode:
                raise MissingError(f"Wine could not be installed (is there a network?): {words}")


def standard_library() -> tuple[Path, str]:
    """The folder of the pure-Python standard library of some CPython 3.11 here, and its version."""
    roots = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [sys.executable, shutil.which(f"python{MINOR}"), f"/usr/bin/python{MINOR}"]
    candidates += map(str, sorted(roots.glob(f"{MINOR}.*/bin/python")))
    ask = (
        "import platform, sysconfig; assert platform.python_implementation() == 'CPython';"
        "print(platform.python_version(), sysconfig.get_path('stdlib'))"
    )
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            told = subprocess.run(
                [candidate, "-I", "-c", ask], capture_output=True, text=True, check=False
            )
            version, _, folder = told.stdout.strip().partition(" ")
            if version.startswith(f"{MINOR}."):
                return Path(folder), version
    raise MissingError(
        f"it takes the standard library of a CPython {MINOR}, and there is none here"
    )


def sources() -> list[Path]:
    return sorted(
        [path for path in HERE.iterdir() if path.is_file()]
        + list(PROGRAMS.glob("*.c"))
        + [REQUIREMENTS]
    )


def key(version: str, tools: Tools) -> str:
    """One word for all that the lab depends on."""
    found = hashlib.sha256(f"{version} {tools.version}".encode())
    for path in sources():
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


class Lab:
    """One folder of the cache: `winpy` with python.exe, `programs`, Wine's own `prefix`."""

    def __init__(self, folder: Path, tools: Tools) -> None:
        self.folder = folder
        self.tools = tools
        self.python = folder / "winpy" / "python.exe"
        self.desktop = folder / "winpy" / "desktop.exe"
        self.programs = folder / "programs"
        self._environment = {
            # not who runs us decides, as by PYTHONDONTWRITEBYTECODE, which makes every start slow
            **{n: v for n, v in os.environ.items() if not n.startswith(("WINE", "PYTHON"))},
            "WINEPREFIX": str(folder / "prefix"),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree=;mshtml=;winemenubuilder.exe=",
            "WINEPATH": dos(folder / "winpy"),
            "PYTHONPATH": dos(ROOT / "src"),
            "PYTHONPYCACHEPREFIX": dos(folder / "pycache"),
            "PYTHONUTF8": "0",
            "LAB_PROGRAMS": dos(self.programs),
        }
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "VIRTUAL_ENV", "PYTHONHOME"):
            self._environment.pop(name, None)

    # ---- building

    def build(self, stdlib: Path) -> None:
        """Does nothing where it was finished; else begins anew."""
        done = self.folder / "done"
        if done.exists():
            return
        for other in self.folder.parent.iterdir():  # older ones are 0.8 GB each
            if other.is_dir():
                shutil.rmtree(other)
        print(f"building the Windows lab in {self.folder}", flush=True)
        for folder in ("winpy/DLLs", "winpy/Lib/site-packages", "download", "programs"):
            (self.folder / folder).mkdir(parents=True)
        self._fetch_dlls()
        self._copy_stdlib(stdlib)
        self._compile()
        self._install_wheels()
        self._make_prefix()
        shutil.rmtree(self.folder / "download")
        done.touch()

    def _fetch_dlls(self) -> None:
        download, dlls = self.folder / "download", self.folder / "winpy" / "DLLs"
        pinned = download / "carrier.txt"
        pinned.write_text(CARRIER + "\n")
        pip("download", *FOR_WINDOWS, "--no-deps", f"--dest={download}", f"--requirement={pinned}")
        (wheel,) = download.glob("panda3d-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                folder, _, name = entry.filename.rpartition("/")
                # Wine has the C runtime's own forwarders
                if folder.endswith("deploy_libs") and name and not name.startswith("api-ms-win-"):
                    in_front = re.match(rf"(?i)python{TAG}\.dll|vcruntime", name)
                    target = (self.folder / "winpy" if in_front else dlls) / name
                    target.write_bytes(archive.read(entry))

    def _copy_stdlib(self, stdlib: Path) -> None:
        left_out = shutil.ignore_patterns(
            *("__pycache__", "site-packages", "dist-packages", "lib-dynload", "test"),
            *("config-*", "_sysconfigdata*", "idlelib", "turtledemo", "ensurepip"),
        )
        shutil.copytree(
            stdlib,
            self.folder / "winpy" / "Lib",
            ignore=left_out,
            dirs_exist_ok=True,
            symlinks=False,
        )

    def _compile(self) -> None:
        tools, winpy = self.tools, self.folder / "winpy"
        resource = self.folder / "download" / "python.o"
        run([tools.resources, "python.rc", "-O", "coff", "-o", str(resource)], cwd=HERE)
        flags = [tools.compiler, "-municode", "-mconsole", "-O2", "-s", "-Wall"]
        dll = str(winpy / f"python{TAG}.dll")
        run([*flags, "-o", str(self.python), "python.c", str(resource), dll], cwd=HERE)
        run([*flags, "-o", str(self.desktop), "desktop.c", "-luser32"], cwd=HERE)
        for program in sorted(PROGRAMS.glob("*.c")):
            target = self.programs / f"{program.stem}.exe"
            run([*flags, "-o", str(target), program.name, "-luser32"], cwd=PROGRAMS)

    def _install_wheels(self) -> None:
        target = self.folder / "winpy" / "Lib" / "site-packages"
        pip(
            *("install", "--quiet", *FOR_WINDOWS, "--no-deps", "--require-hashes"),
            *(f"--target={target}", f"--requirement={REQUIREMENTS}"),
        )

    def _make_prefix(self) -> None:
        # the null driver: without it, and without a display, there are no top-level windows
        driver = [r"HKCU\Software\Wine\Drivers", "/v", "Graphics", "/d", "null", "/f"]
        for words in (["wineboot", "-i"], ["winecfg", "-v", "win10"], ["reg", "add", *driver]):
            if status := self._quietly(self.tools.wine, *words):
                raise MissingError(f"Wine ended with {status}: {' '.join(words)}")
        self._end()  # or the desktop goes on without that driver

    def _quietly(self, *command: str) -> int:
        """The status of a command that holds no stream of ours."""
        null = subprocess.DEVNULL
        try:
            return subprocess.run(
                command,
                env=self._environment,
                stdin=null,
                stdout=null,
                stderr=null,
                timeout=PATIENCE,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise MissingError(f"no end within {PATIENCE} s: {' '.join(command)}") from None

    def _end(self) -> None:
        """Everything of Wine that runs in this prefix, and in no other."""
        self._quietly(self.tools.server, "-k")
        self._quietly(self.tools.server, "-w")

    # ---- running

    def run(self, arguments: list[str]) -> int:
        """python.exe for each part of the arguments between `+`, all at the same time; the worst
        status. At the end nothing of Wine is left."""
        parts: list[list[str]] = [[]]
        for word in arguments:
            if word == "+":
                parts.append([])
            else:
                parts[-1].append(word)
        try:
            # services and desktop first, with streams of their own, which they keep open
            self._quietly(self.tools.wine, str(self.desktop))
            told = [self.folder / f"status-{number}" for number in range(len(parts))]
            started = [self._start(*each) for each in zip(parts, told, strict=True)]
            try:
                return max(_show(*each) for each in zip(started, told, strict=True))
            finally:
                for process in started:
                    process.kill()
                    process.wait()
        finally:
            self._end()

    def _start(self, arguments: list[str], told: Path) -> subprocess.Popen[bytes]:
        """In a console of its own; `told` will have its status. Its output through a pipe: Wine 8
        cannot fstat() an inherited file."""
        told.unlink(missing_ok=True)
        wanted = [str(self.python), f"--lab-status={dos(told)}", *arguments]
        return subprocess.Popen(
            [self.tools.wine, str(self.desktop), *wanted],
            env=self._environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


def _show(process: subprocess.Popen[bytes], told: Path) -> int:
    """What it writes, to its end; its status, 1 at least where it was cut off: that is 0 for Wine.
    Those that come later wait in their pipes."""
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.buffer.write(line.replace(b"\r\n", b"\n"))
        sys.stdout.buffer.flush()
    status = process.wait()
    if told.exists():
        return int(told.read_text())
    print(f"the Windows lab: cut off, with status {status}", file=sys.stderr)
    return status or 1


def dos(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")


def hold(lock: IO[str]) -> None:
    """One at a time: two would build in one folder, and see each other's processes."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("the Windows lab is in use by another run: waiting for its end", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        raise MissingError(f"pip failed (is the package index reachable?): {' '.join(command)}")


def output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def run(command: list[str], cwd: Path) -> None:
    if subprocess.run(command, cwd=cwd, check=False).returncode:
        raise MissingError(f"failed: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
