"""An application without some of the descriptors 0 to 2. REPORT FD...

Closes them, and writes to the file REPORT what its processes have of theirs, and say.
"""

import json
import os
import sys
import traceback

report, *closed = sys.argv[1:]
for fd in closed:
    os.close(int(fd))
SHOW = """
import json, os
print(json.dumps({fd: os.readlink(f'/proc/self/fd/{fd}').partition(':')[0] for fd in range(3)}))
"""
told = {}
try:
    from procession.executor import PIPE, Capture, Executor

    with Executor() as ex:
        python = [sys.executable, "-I", "-S", "-c"]
        result = ex.create_process([*python, SHOW], stdout=Capture(), stderr=Capture()).result(10)
        told["has"] = json.loads(result.stdout.text())
        three = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE}
        talk = ex.create_process(["sh", "-c", "echo out; echo err >&2; cat"], text=True, **three)
        told["said"] = talk.communicate("in", 10)
        shows = [*python, SHOW.replace("print(", "open(os.environ['SHOW'], 'w').write(")]
        env = {**os.environ, "SHOW": report}
        ex.create_process(shows, env=env, stdin=None, stdout=None, stderr=None).wait(10)
        with open(report) as file:
            told["inherits"] = json.load(file)
except BaseException:  # noqa: BLE001 - there is nowhere else to tell
    told["error"] = traceback.format_exc()
with open(report, "w") as file:
    json.dump(told, file)
