"""Imports procession.notify and prints what of ours, and which heavy module, came along."""

import sys

import procession.notify

assert procession.notify.__file__
heavy = {"socket", "select", "array", "selectors", "threading", "typing", "logging", "subprocess"}
ours = {name for name in sys.modules if name.partition(".")[0] == "procession"}
print(*sorted(ours | (heavy & set(sys.modules))))
