"""What is asked of live runs: whether they are ready, and whether they are healthy.

`checks` begins and ends what the core asks for, `watch` is one check of one run: when each of its
probes is tried, and what that comes to (`core.checks`). A try of each kind is in a file of its own:
`net` (tcp, unix, http), `file`, and commands, which are `supervisor.errands`. What a run says by
itself is a `sign`: a line (`log`), a newline on a descriptor (`fd`), READY=1 (`supervisor.talk`);
what it needs for that is its `outfit`, made before it is started.

Nothing of this is loaded for a task without checks, and nothing ticks while nothing is tried.
"""
