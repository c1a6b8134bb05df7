"""Waits at a barrier with so many files open that select() could not watch one more."""

import os
import resource

from procession import notify

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (1200 if hard == -1 else min(hard, 1200), hard))
while os.open(os.devnull, os.O_RDONLY) < 1030:
    pass
print(notify.barrier(10))
