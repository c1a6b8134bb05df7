"""What other tools call our keys, by mapping. A value with a dot is a key of a mapping of ours; an
empty one says that there is nothing of the kind."""

from __future__ import annotations

PROJECT = {
    **dict.fromkeys(("services", "processes", "programs", "apps", "jobs", "task"), "tasks"),
    "project": "name",
    "version": "",
    **dict.fromkeys(("includes", "extends", "import", "imports", "files"), "include"),
    **dict.fromkeys(("default", "common", "task-defaults"), "defaults"),
    **dict.fromkeys(("shutdown-timeout", "stop-grace-period", "kill-timeout"), "stop-timeout"),
    **dict.fromkeys(("exit-code", "exit-from", "main"), "exit-code-from"),
    **dict.fromkeys(
        ("abort-on-container-exit", "abort-on-container-failure", "fail-fast", "exit-on-failure"),
        "abort-on-failure",
    ),
    **dict.fromkeys(("log", "logging", "log-configuration"), "logs"),
    "log-rotation": "logs.max-file",
}
# Keys at the top by which a file is known as another tool's.
WHOSE = {
    "services": "looks like a Compose file",
    "processes": "looks like a file of process-compose",
}
TASK = {
    **dict.fromkeys(("command", "cmd", "exec", "executable", "entrypoint", "run"), "program"),
    **dict.fromkeys(("arguments", "argv", "parameters"), "args"),
    **dict.fromkeys(("working-dir", "working-directory", "workdir", "directory", "dir"), "cwd"),
    **dict.fromkeys(("env", "envs", "variables"), "environment"),
    **dict.fromkeys(("envfile", "env-files", "dotenv", "environment-file"), "env-file"),
    **dict.fromkeys(("delay", "startup-delay"), "start-delay"),
    **dict.fromkeys(("backoff", "restart-delay", "restart-sec"), "restart-backoff"),
    **dict.fromkeys(("restart-policy", "autorestart", "auto-restart", "availability"), "restart"),
    **dict.fromkeys(
        ("max-restarts", "restart-limit", "startretries", "start-limit-burst"), "restart.limit"
    ),
    **dict.fromkeys(
        ("stop-timeout", "stop-grace-period", "kill-timeout", "stopwaitsecs"), "stop.timeout"
    ),
    **dict.fromkeys(("stop-signal", "kill-signal", "stopsignal"), "stop.signal"),
    **dict.fromkeys(("pre-stop", "prestop", "stop-command", "exec-stop"), "stop.command"),
    **dict.fromkeys(("shutdown", "stopping"), "stop"),
    **dict.fromkeys(("exit-codes", "exitcodes"), "success-exit-codes"),
    **dict.fromkeys(("groups", "labels", "tag", "profiles"), "tags"),
    **dict.fromkeys(
        ("depends", "dependencies", "needs", "requires", "wants", "after", "links", "start-after"),
        "depends-on",
    ),
    **dict.fromkeys(("readiness", "readiness-probe", "readinessprobe", "startup-probe"), "ready"),
    **dict.fromkeys(("ready-log-line", "ready-when", "wait-for-log"), "ready.log"),
    **dict.fromkeys(
        ("healthcheck", "health-check", "liveness", "liveness-probe", "livenessprobe", "healthy"),
        "health",
    ),
    **dict.fromkeys(
        ("start-timeout", "startup-timeout", "timeout-start-sec", "startsecs", "launch-timeout"),
        "ready-timeout",
    ),
    **dict.fromkeys(("watchdog-sec", "watchdog-timeout", "watchdog-usec"), "watchdog"),
    **dict.fromkeys(
        ("instances", "scale", "numprocs", "num-procs", "copies", "concurrency"), "replicas"
    ),
    **dict.fromkeys(("ports", "listen", "expose"), "port"),
    **dict.fromkeys(("auto-start", "enabled", "start"), "autostart"),
    **dict.fromkeys(("oneshot", "one-shot", "is-task", "once"), "completes"),
    **dict.fromkeys(("prefix", "wrapper", "command-prefix"), "launch-prefix"),
    **dict.fromkeys(("uid", "run-as", "username"), "user"),
    **dict.fromkeys(("gid", "groupname"), "group"),
    **dict.fromkeys(("extra-groups", "group-add", "additional-groups"), "supplementary-groups"),
    **dict.fromkeys(("niceness", "priority"), "nice"),
    **dict.fromkeys(("cpuset", "cpu-set", "cpu-affinity", "affinity", "cpuset-cpus"), "cpus"),
    **dict.fromkeys(("ulimits", "ulimit", "rlimits", "rlimit", "resources"), "limits"),
    **dict.fromkeys(("essential", "exit-on-end", "exit-on-stop"), "quit-on-terminate"),
}
STOP = {
    "target": "to",
    **dict.fromkeys(("grace", "wait", "grace-period"), "timeout"),
    "stop-signal": "signal",
    **dict.fromkeys(("exec", "run", "pre-stop", "cmd"), "command"),
    **dict.fromkeys(("ladder", "sequence"), "steps"),
    "extend-timeout": "extend",
}
STEP = {
    "target": "to",
    **dict.fromkeys(("timeout", "grace", "delay", "for"), "wait"),
    **dict.fromkeys(("exec", "run", "cmd"), "command"),
    **dict.fromkeys(("kill", "send"), "signal"),
}
RESTART = {
    **dict.fromkeys(("when", "condition", "name"), "policy"),
    **dict.fromkeys(("restart-backoff", "wait", "interval", "sec"), "delay"),
    **dict.fromkeys(("exponential", "growth"), "backoff"),
    **dict.fromkeys(("stable", "reset-after", "min-uptime", "success-after"), "stable-after"),
    **dict.fromkeys(
        ("max", "max-attempts", "max-restarts", "max-retries", "retries", "burst"), "limit"
    ),
    **dict.fromkeys(("window", "per", "interval-sec"), "within"),
    **dict.fromkeys(("exit-codes", "codes", "on", "on-exit"), "rules"),
    **dict.fromkeys(("first", "factor", "longest", "jitter"), "backoff"),
}
BACKOFF = {
    **dict.fromkeys(("initial", "min", "base", "start", "delay"), "first"),
    **dict.fromkeys(("max", "maximum", "cap", "limit"), "longest"),
    **dict.fromkeys(("multiplier", "growth", "rate"), "factor"),
    **dict.fromkeys(("random", "randomness", "spread"), "jitter"),
}
CHECK = {
    **dict.fromkeys(("port", "tcp-socket", "connect"), "tcp"),
    **dict.fromkeys(("url", "http-get", "https", "get"), "http"),
    **dict.fromkeys(("test", "command", "cmd", "run", "script", "shell"), "exec"),
    **dict.fromkeys(("pattern", "regex", "line", "output", "ready-log-line"), "log"),
    **dict.fromkeys(("path", "exists"), "file"),
    **dict.fromkeys(("socket", "unix-socket"), "unix"),
    **dict.fromkeys(("sd-notify", "systemd"), "notify"),
    **dict.fromkeys(("notification-fd", "descriptor"), "fd"),
    **dict.fromkeys(("all", "mode"), "any"),
    **dict.fromkeys(("period", "period-seconds", "every"), "interval"),
    **dict.fromkeys(("timeout-seconds",), "timeout"),
    **dict.fromkeys(
        ("initial-delay-seconds", "start-period", "delay", "start-delay"), "initial-delay"
    ),
    **dict.fromkeys(("success-threshold", "rise"), "successes"),
    **dict.fromkeys(
        ("failure-threshold", "retries", "max-failures", "fall", "attempts"), "failures"
    ),
}
HEALTH = {**CHECK, **dict.fromkeys(("on-failure", "action", "restart"), "then")}
HTTP = {
    **dict.fromkeys(("uri", "address", "path", "host", "port"), "url"),
    "verb": "method",
    **dict.fromkeys(("code", "codes", "status-code", "expect", "statuses"), "status"),
    **dict.fromkeys(("match", "content", "contains"), "body"),
    **dict.fromkeys(("header", "http-headers"), "headers"),
}
DEPENDENCY = {
    **dict.fromkeys(("when", "until", "state", "for", "wait-for"), "condition"),
    "required": "",
}
LOGS = {
    **dict.fromkeys(("max-size", "size", "file", "max-bytes", "rotate"), "max-file"),
    **dict.fromkeys(("total", "max", "limit"), "max-total"),
    **dict.fromkeys(("keep", "runs", "max-files", "max-backups", "backups"), "keep-runs"),
}

# Words for values.
POLICIES = {
    **dict.fromkeys(("unless-stopped", "yes", "on"), "always"),
    **dict.fromkeys(("never", "off", "none", "exit-on-failure"), "no"),
    **dict.fromkeys(
        ("on-error", "on-crash", "unexpected", "on-abnormal", "on-abort"), "on-failure"
    ),
}
CONDITIONS = {
    **dict.fromkeys(
        ("service-started", "process-started", "running", "up", "start", "exists"), "started"
    ),
    **dict.fromkeys(("process-log-ready", "is-ready", "true", "yes", "available"), "ready"),
    **dict.fromkeys(("service-healthy", "process-healthy", "health", "ok"), "healthy"),
    **dict.fromkeys(
        ("process-completed", "done", "exited", "ended", "finished", "stopped", "exit"),
        "completed",
    ),
    **dict.fromkeys(
        (
            "service-completed-successfully",
            "process-completed-successfully",
            "success",
            "succeeded",
            "successful",
        ),
        "completed-successfully",
    ),
}
ENDS = {
    **dict.fromkeys(("always", "again", "yes", "true", "retry", "on-failure"), "restart"),
    **dict.fromkeys(("no", "stop", "fail", "false", "never", "giveup", "quit"), "give-up"),
}
