"""The audit of the locks: what pip-audit says, and that a service which is not reached is no clean answer."""

import importlib
import json
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVS = ROOT / "envs"
PROGRAM = ROOT / ".venv-audit" / "bin" / "python"
FOUND = {"id": "PYSEC-1", "fix_versions": ["2.1", "3.0"], "aliases": [], "description": "bad"}
PINS = [{"name": "alpha", "version": "1.0", "vulns": []}, {"name": "beta", "version": "2.0", "vulns": [FOUND]}]
SKIPPED = {"name": "gamma", "skip_reason": "not found there"}


@pytest.fixture
def audit(monkeypatch):
    monkeypatch.syspath_prepend(ENVS)
    return importlib.import_module("audit")


def test_a_report_is_read_pin_by_pin(audit):
    report = audit.parse({"dependencies": PINS, "fixes": []})
    assert report == audit.Report(2, ("beta 2.0: PYSEC-1, mended in 2.1, 3.0",))
    never = {**PINS[1], "vulns": [{**FOUND, "fix_versions": []}]}
    assert audit.parse({"dependencies": [never]}).known == ("beta 2.0: PYSEC-1, mended in no version yet",)


def test_a_pin_that_was_not_asked_about_is_a_fault(audit):
    report = audit.parse({"dependencies": [*PINS, SKIPPED]})
    assert (report.n_pins, len(report.known)) == (2, 1)
    assert report.fault == "1 pins were not asked about, as gamma: not found there"


@pytest.mark.parametrize(
    ("reports", "code", "says"),
    [
        ([((5, ()), None), ((7, ()), None)], 0, "b.lock: 7 pins, 0 known vulnerabilities"),
        ([((5, ("x 1: Y, mended in 2",)), None), ((7, ()), None)], 1, "a.lock: x 1: Y, mended in 2"),
        ([((5, ("x 1: Y, mended in 2",)), None), ((3, ()), "1 pins were not")], 2, "b.lock: NOT AUDITED: 1 pins were"),
        ([((0, ()), "no name for the host")], 2, "make audit OSV=URL"),
    ],
)
def test_the_worst_answer_is_the_exit_code(audit, monkeypatch, caplog, reports, code, says):
    made = iter([audit.Report(*first, fault) for first, fault in reports])
    monkeypatch.setattr(audit, "ask", lambda *_: next(made))
    monkeypatch.setattr("sys.argv", ["audit.py", "a.lock", "b.lock"])
    caplog.set_level("INFO")
    with pytest.raises(SystemExit) as left:
        audit.main()
    assert left.value.code == code
    assert says in caplog.text


def test_an_environment_without_pip_audit_is_no_clean_answer(audit, monkeypatch):
    monkeypatch.setattr(audit.sys, "executable", "false")
    report = audit.ask(ENVS / "audit.lock", "http://127.0.0.1:9")
    assert (report.n_pins, report.fault) == (0, "pip-audit wrote no report, and no word")


class Service(BaseHTTPRequestHandler):
    """Answers as OSV does: of one package that there is a vulnerability, of others nothing."""

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((asked["package"]["name"], asked["version"]))
        mended = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}
        affected = [{"package": asked["package"], "ranges": [mended]}]
        known = {"vulns": [{"id": "PYSEC-1", "summary": "bad", "affected": affected}]}
        body = json.dumps(known if asked["package"]["name"] == self.server.bad else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def service(bad=""):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.asked, server.bad = [], bad
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_address[1]}/v1/query"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.skipif(not PROGRAM.exists(), reason="there is no .venv-audit, which make audit makes")
@pytest.mark.parametrize(("bad", "code"), [("", 0), ("urllib3", 1)])
def test_a_service_on_loopback_is_asked_about_every_pin(bad, code):
    lock = ENVS / "audit.lock"
    with service(bad) as (server, url):
        command = [PROGRAM, ENVS / "audit.py", lock, "--osv-url", url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    names = {line.partition("==")[0] for line in lock.read_text().splitlines() if "==" in line and " ; " not in line}
    assert names <= {name for name, _ in server.asked}
    assert ("PYSEC-1, mended in 99.0" in done.stderr) is bool(bad)
