"""A fault at a moment: Python imports this before a program begins, where the folder stands in PYTHONPATH.

FAULT="MODULE EVENT TEXT NUMBER ACT" names the stage, and the audit event of Python, of those whose arguments hold the
text the one of that number, at which ACT happens: `kill`, `term` (a signal to this very process), `wait` (until the
file named by FAULT_GO is there; the process's id stands in FAULT_REACHED) or `memory` (no byte of address space more
than there is). The code of the study is as it is; the kernel does the rest.
"""

import os
import sys


def act(what):
    import resource
    import signal
    import time
    from pathlib import Path

    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "term":
        os.kill(os.getpid(), signal.SIGTERM)
    elif what.startswith("memory"):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit = used + 1_000_000 * int(what.removeprefix("memory"))
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    else:
        Path(os.environ["FAULT_REACHED"]).write_text(str(os.getpid()))
        while not Path(os.environ["FAULT_GO"]).exists():
            time.sleep(0.05)


def listen():
    module, event, text, number, what = os.environ["FAULT"].split()
    if f"linear_probing.{module}" not in sys.orig_argv:
        return
    left = [int(number)]

    def hook(name, arguments):
        if name == event and text in repr(arguments):
            left[0] -= 1
            if left[0] == 0:
                act(what)

    sys.addaudithook(hook)


if "FAULT" in os.environ:
    listen()
