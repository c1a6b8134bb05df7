"""Tells of its own beginning: windows_environment.py NAME... | --cwd | --exit CODE | --streams"""

import os
import sys


def say(text: str) -> None:
    os.write(1, (text + "\n").encode())


words = sys.argv[1:]
if words[0] == "--cwd":
    say(os.getcwd())
elif words[0] == "--exit":
    os._exit(int(words[1]))
elif words[0] == "--streams":
    os.write(1, b"x")
    os.write(2, b"x")
    os._exit(0 if os.read(0, 1) == b"" else 1)
else:
    for name in words:
        say(f"{name}={os.environ[name]}")
