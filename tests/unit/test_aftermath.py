"""What is said of jobs that a signal ended, from snakemake's own words."""

import pytest

from linear_probing import aftermath

SAID = (
    'RuleException:\nCalledProcessError in file "workflow/rules/probes.smk", line 49:\n'
    "Command 'set -euo pipefail;  python -m linear_probing.probes --config 'my study.yaml' --threads 1 2> a.log' {}.\n"
)


@pytest.mark.parametrize(
    ("end", "name"),
    [
        ("returned non-zero exit status 137", "SIGKILL"),
        ("returned non-zero exit status 139", "SIGSEGV"),
        ("died with <Signals.SIGKILL: 9>", "SIGKILL"),
    ],
)
def test_a_killed_job_is_told_with_what_to_do(tmp_path, end, name):
    (tmp_path / "log").write_text(SAID.format(end))
    (error,) = aftermath.unsaid([tmp_path / "log"])
    assert error.subject == f"a job of the stage probes was killed by {name} before it was done"
    assert "\n  likely: memory ran out and the kernel" in str(error)
    assert "\n  do:     run snakemake again: what is finished stays; if memory ran out" in str(error)


@pytest.mark.parametrize("status", [1, 130, 143])
def test_a_job_that_said_itself_what_happened_is_not_told_again(tmp_path, status):
    (tmp_path / "log").write_text(SAID.format(f"returned non-zero exit status {status}"))
    assert aftermath.unsaid([tmp_path / "log"]) == []


def test_a_folder_that_snakemake_cannot_make_is_told_once(tmp_path):
    said = "Failed to create output directory results/a.\nOSError: [Errno 30] Read-only file system: 'results/a'\n"
    (tmp_path / "log").write_text(said * 2)
    (error,) = aftermath.unsaid([tmp_path / "log"])
    assert error.subject == "no access: Read-only file system"
    assert "file:   results/a\n" in str(error)


def test_a_full_disk_that_has_no_name_is_told(tmp_path):
    (tmp_path / "log").write_text("Error in rule probes:\nOSError: [Errno 28] No space left on device\nExiting.\n")
    (error,) = aftermath.unsaid([tmp_path / "log"])
    assert error.subject == "no room left to write: No space left on device"
    assert "do:     make room there" in str(error)


def test_an_input_of_the_future_is_told_with_what_to_do(tmp_path):
    said = "  Output results/b.json has older modification time (2026-11-28) than input results/a.json (2100-01-01)."
    (tmp_path / "log").write_text(said)
    (error,) = aftermath.unsaid([tmp_path / "log"])
    assert error.subject == "results/a.json has a time in the future"
    assert "do:     set the clock right" in str(error)
