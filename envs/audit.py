"""Ask whether there are known vulnerabilities in what the lock files pin, by pip-audit.

    .venv-audit/bin/python envs/audit.py [LOCK ...] [--osv-url URL]

In: lock files of this folder, all of them by default. Out: a line per vulnerability, with the versions that mend it.
pip-audit reads the pins and resolves nothing; it asks the database OSV about each, for the platform and the Python
that it runs on. Its own exit code is 1 both for a vulnerability and where the service cannot be reached, so that its
report decides. Ends with 0: asked, none known; 1: some are known; 2: not asked, or not about all.
Cost: a request a pin.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

LOG = logging.getLogger("audit")
FOLDER = Path(__file__).parent
SERVICE = "https://api.osv.dev/v1/query"
NONE, SOME, UNKNOWN = 0, 1, 2


@dataclass(frozen=True)
class Report:
    """What was found out about a lock: how many pins were asked about, and a line per vulnerability.

    `fault` says why the answer is not whole, None where it is.
    """

    n_pins: int
    known: tuple[str, ...]
    fault: str | None = None


def ask(lock: Path, service: str) -> Report:
    """Return what the service knows of a lock's pins."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "report.json")
        options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--cache-dir", folder]
        command = ["--vulnerability-service", "osv", "--osv-url", service, "--format", "json", "--output", str(file)]
        program = [sys.executable, "-m", "pip_audit"]
        # Of proxies and certificates the user's; of Python's path nothing: the study's packages are others.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [*program, *options, *command, "--requirement", str(lock)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            return parse(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            said = done.stderr.strip().splitlines() or ["pip-audit wrote no report, and no word"]
            return Report(0, (), said[-1])


def parse(content: dict[str, list[dict[str, object]]]) -> Report:
    """Return pip-audit's report as ours."""
    known, skipped = [], []
    for pin in content["dependencies"]:
        if "skip_reason" in pin:
            skipped.append(f"{pin['name']}: {pin['skip_reason']}")
            continue
        for one in pin["vulns"]:  # type: ignore[attr-defined]
            mended = ", ".join(one["fix_versions"]) or "no version yet"
            known.append(f"{pin['name']} {pin['version']}: {one['id']}, mended in {mended}")
    fault = f"{len(skipped)} pins were not asked about, as {skipped[0]}" if skipped else None
    return Report(len(content["dependencies"]) - len(skipped), tuple(known), fault)


def main() -> None:
    """Ask about each lock and leave with the worst answer."""
    parser = argparse.ArgumentParser(description="Ask whether there are known vulnerabilities in what locks pin.")
    parser.add_argument("locks", type=Path, nargs="*", default=sorted(FOLDER.glob("*.lock")), metavar="LOCK")
    parser.add_argument("--osv-url", default=SERVICE, help="another address of the same service (%(default)s)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    worst = NONE
    for lock in arguments.locks:
        report = ask(lock, arguments.osv_url)
        for line in report.known:
            LOG.info("%s: %s", lock.name, line)
        if report.fault is not None:
            LOG.error("%s: NOT AUDITED: %s", lock.name, report.fault)
        else:
            LOG.info("%s: %d pins, %d known vulnerabilities", lock.name, report.n_pins, len(report.known))
        worst = max(worst, UNKNOWN if report.fault is not None else SOME if report.known else NONE)
        if report.fault is not None and not report.n_pins:
            break
    if worst == UNKNOWN:
        LOG.error("do: run it where %s can be reached, or name another address: make audit OSV=URL", arguments.osv_url)
    elif worst == SOME:
        LOG.error("do: make lock, which takes newer versions; read what is said of those that have no mended one")
    sys.exit(worst)


if __name__ == "__main__":
    main()
