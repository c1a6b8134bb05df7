"""Makes a virtual environment that holds this project, and keeps it in step with pyproject.toml.

    PYTHON .ci/venv.py FOLDER run|test|dev [--with FILE]

`run` is the package alone, `test` adds what the tests need, `dev` the checkers; `--with` adds a
pip constraints file. Does nothing when the folder is as it should be, finishes or repeats a
set-up that was interrupted, and refuses a folder that is no virtual environment. Where Python
came without `ensurepip`, pip is taken from Python itself or from virtualenv.

Has to be readable by old Pythons, so that they can say that they are too old.
"""

import hashlib
import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROJECT = os.path.join(ROOT, "pyproject.toml")
BUSY, DONE = "procession-setup-busy", "procession-setup-done"
EXTRAS = {"run": "", "test": "[test]", "dev": "[dev]"}


def main(argv):
    arguments = argv[1:]
    constraints = None
    if "--with" in arguments:
        at = arguments.index("--with")
        constraints = arguments[at + 1]
        del arguments[at : at + 2]
    if len(arguments) != 2 or arguments[1] not in EXTRAS:
        sys.exit(__doc__)
    if sys.version_info < OLDEST:
        sys.exit(
            "%s is Python %d.%d.%d: Procession needs %d.%d or newer. "
            "Name one, as in: make test PYTHON=python3.12"
            % ((sys.executable,) + tuple(sys.version_info[:3]) + OLDEST)
        )
    folder = os.path.abspath(arguments[0])
    with open(PROJECT, "rb") as project:
        hold(project)  # `make -j` may come here twice at a time
        set_up(folder, arguments[1], constraints)


def hold(file):
    try:
        import fcntl
    except ImportError:  # Windows: no `make -j` to guard against
        return
    fcntl.flock(file, fcntl.LOCK_EX)


def set_up(folder, kind, constraints):
    wanted = describe(folder, constraints)
    kinds = finished(folder, wanted)
    if kind in kinds or "dev" in kinds or (kind == "run" and kinds):
        return
    if not usable(folder):
        create(folder)
    mark(folder, BUSY, "")
    print("installing Procession (%s) into %s" % (kind, os.path.relpath(folder)), flush=True)
    command = [python_of(folder), "-m", "pip", "--quiet", "--quiet", "--disable-pip-version-check"]
    command += ["install", "--editable", ROOT + EXTRAS[kind]]
    if constraints:
        command += ["--constraint", constraints]
    run(command)
    mark(folder, DONE, "\n".join([wanted] + sorted(kinds + [kind])))
    os.unlink(os.path.join(folder, BUSY))


def describe(folder, constraints):
    """One word for all that the environment depends on."""
    found = hashlib.sha256()
    for path in [PROJECT] + ([constraints] if constraints else []):
        with open(path, "rb") as file:
            found.update(file.read())
    for fact in (folder, sys.base_prefix, sys.version):
        found.update(fact.encode())
    return found.hexdigest()


def python_of(folder):
    return os.path.join(folder, "Scripts\\python.exe" if os.name == "nt" else "bin/python")


def finished(folder, wanted):
    """The kinds that are installed, from the same pyproject.toml and for the same Python."""
    try:
        with open(os.path.join(folder, DONE)) as file:
            lines = file.read().split("\n")
    except OSError:
        return []
    whole = not os.path.exists(os.path.join(folder, BUSY)) and os.path.exists(python_of(folder))
    return lines[1:] if whole and lines[0] == wanted else []


def usable(folder):
    """Whether it is an environment of this very Python, with pip, and not half made."""
    if os.path.exists(os.path.join(folder, BUSY)) or not os.path.exists(python_of(folder)):
        return False
    ask = "import sys, pip; print(sys.version, sys.base_prefix, sys.prefix, sep='|')"
    told = subprocess.run(
        [python_of(folder), "-c", ask],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return told.stdout.decode().strip() == "|".join([sys.version, sys.base_prefix, folder])


def create(folder):
    if os.path.lexists(folder):
        ours = any(os.path.exists(os.path.join(folder, name)) for name in (BUSY, "pyvenv.cfg"))
        if not ours and os.listdir(folder):
            sys.exit("%s is there and is no virtual environment: name another, VENV=..." % folder)
        discard(folder)
    version = "%d.%d.%d" % tuple(sys.version_info[:3])
    print("making %s with Python %s" % (os.path.relpath(folder), version), flush=True)
    os.makedirs(folder)
    mark(folder, BUSY, "")
    host = [sys.executable, "-m"]
    roads = (
        [host + ["venv", folder]],
        # Debian keeps ensurepip in a package of its own; its pip can serve another environment.
        [
            host + ["venv", "--without-pip", folder],
            host + ["pip", "--python", python_of(folder), "install", "--quiet", "pip"],
        ],
        [host + ["virtualenv", "--quiet", folder]],
    )
    told = []
    for road in roads:
        for command in road:
            ended = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )
            told.append("$ %s\n%s" % (" ".join(command), ended.stdout.decode(errors="replace")))
            if ended.returncode:
                break
        else:
            return
    sys.exit(
        "no way to make a virtual environment with this Python:\n\n%s\n"
        "On Debian or Ubuntu: apt install python3-venv. Elsewhere: %s -m pip install virtualenv."
        % ("\n".join(told), sys.executable)
    )


def discard(folder):
    """Out of the way first: what is left of a killed set-up may still be writing into it."""
    aside = "%s.%d.old" % (folder, os.getpid())
    os.rename(folder, aside)
    shutil.rmtree(aside, ignore_errors=True)
    if os.path.exists(aside):
        shutil.rmtree(aside)


def run(command):
    ended = subprocess.run(command, check=False)
    if ended.returncode:
        sys.exit("failed with status %d: %s" % (ended.returncode, " ".join(command)))


def mark(folder, name, text):
    """Written in one step: a mark that is there is whole."""
    path = os.path.join(folder, name)
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


if __name__ == "__main__":
    main(sys.argv)
