"""Started as root: plants a tree of root's processes, becomes nobody, and tries to end it.

Says as JSON what each call refused, and who is of the family.
"""

import json
import os
import signal
import sys

from tests.support.forest import Forest

forest = Forest()
tree = forest.plant("run", "tree_family", "child=deaf", "daemon=deaf")
pid = forest.lines.expect("leader", "child", "daemon")
forest.scan()
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
told = {"leader_is": pid["leader"]}
told["family"] = sorted(str(forest.trees.name_of(number)) for number in pid.values())
for to in ("leader", "group", "tree"):
    sent = tree.signal(signal.SIGTERM, to=to)
    told[to] = [sorted(sent.pids), sorted(map(str, sent.refused))]
sent = tree.kill()
told["kill"] = [sorted(sent.pids), sorted(map(str, sent.refused))]
told["empty"] = tree.is_empty()
told["left"] = sorted(map(str, tree.members()))
json.dump(told, sys.stdout)
sys.stdout.flush()
os._exit(0)  # its parent, root still, ends the family
