"""A Pool by fork in a program that has installed: its end terminates workers that never ask."""

import multiprocessing

from procession import shutdown

shutdown.install()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(abs, [-1, -2]), flush=True)
print("parent:", shutdown.wait_exit(0), flush=True)
