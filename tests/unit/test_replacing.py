"""What a killed job leaves, who removes it, and the machine's troubles in the form of our errors."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import SafetensorError

from linear_probing import errors, processes, replacing, stage
from linear_probing.errors import MachineError, StudyError, explained, is_of_memory


def start(tmp_path, code):
    """Start a process that runs code with `final` and `replacing` at hand."""
    setup = f"import pathlib\nfrom linear_probing import replacing\nfinal = pathlib.Path({str(tmp_path / 'out')!r})\n"
    command = [sys.executable, "-c", setup + code]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


WAITING = """
with replacing.replace_folder(final) as folder:
    (folder / "a").write_text("half")
    print("ready", flush=True)
    input()
"""


def test_what_is_being_written_stays_and_goes_with_its_process(tmp_path):
    process = start(tmp_path, WAITING)
    assert process.stdout.readline() == "ready\n"
    (one,) = replacing.leftovers(tmp_path)
    assert one.final == tmp_path / "out"
    assert one.writer == f"process {process.pid} of {replacing.host()}"
    assert replacing.remove_dead([tmp_path]) == [one], "its process lives"
    process.kill()
    process.wait()
    assert replacing.remove_dead([tmp_path]) == []
    assert list(tmp_path.iterdir()) == []


def test_the_next_writer_of_the_name_removes_what_was_left(tmp_path):
    process = start(tmp_path, WAITING)
    process.stdout.readline()
    process.kill()
    process.wait()
    with replacing.replace_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_another_host_left_is_never_removed(tmp_path):
    folder = tmp_path / ".out.elsewhere.17.0123abcd.tmp"
    folder.mkdir()
    (one,) = replacing.remove_dead([tmp_path])
    assert one.writer == "process 17 of elsewhere"
    with replacing.replace_file(tmp_path / "out") as path:
        path.write_text("whole")
    assert folder.is_dir()


def test_what_cannot_be_locked_is_never_removed(tmp_path, monkeypatch):
    """A file system without locks: the process may be alive."""
    folder = tmp_path / f".out.{replacing.host()}.17.0123abcd.tmp"
    folder.mkdir()

    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert len(replacing.remove_dead([tmp_path])) == 1
    with replacing.replace_file(tmp_path / "out") as path:
        path.write_text("whole")
    assert folder.is_dir()


def test_what_stood_there_comes_back_after_a_kill_between_the_two_renames(tmp_path):
    old = tmp_path / f".out.{replacing.host()}.17.0123abcd.tmp" / f"{replacing.OLD}0"
    old.mkdir(parents=True)
    (old / "a").write_text("old")
    assert replacing.remove_dead([tmp_path]) == []
    assert (tmp_path / "out" / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.fixture
def lower(tmp_path, monkeypatch):
    """Return a folder that cannot be renamed, as on an overlay's lower layer: one cannot be mounted everywhere."""
    out = tmp_path / "out"
    out.mkdir()
    for name in ("a", "b"):
        (out / name).write_text("old")
    (out / "link").symlink_to("a")
    rename, lies_below = Path.rename, [out.stat().st_ino]

    def refuse(path, target):
        if path == out and path.stat().st_ino in lies_below:
            raise OSError(errno.EXDEV, "Invalid cross-device link", str(path), None, str(target))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    return out


def test_a_folder_that_cannot_be_renamed_is_replaced(lower):
    with replacing.replace_folder(lower) as folder:
        (folder / "a").write_text("new")
    assert [(path.name, path.read_text()) for path in lower.iterdir()] == [("a", "new")]
    assert [path.name for path in lower.parent.iterdir()] == ["out"]


def is_old(out):
    return {p.name: p.read_text() for p in out.iterdir()} == dict.fromkeys(("a", "b", "link"), "old")


@pytest.mark.parametrize("failing", ["copytree", "rmtree"])
def test_a_folder_that_cannot_be_renamed_stays_after_a_failure(lower, monkeypatch, failing):
    """The copy fails, or the removal of the original does when a file is gone."""
    done = getattr(replacing.shutil, failing)

    def fail(path, *arguments, **named):
        if path != lower or "ignore_errors" in named:
            return done(path, *arguments, **named)
        if failing == "rmtree":
            (path / "b").unlink()
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(replacing.shutil, failing, fail)
    with pytest.raises(MachineError, match="the disk failed"), replacing.replace_folder(lower) as folder:
        (folder / "a").write_text("new")
    assert is_old(lower)
    assert (lower / "link").is_symlink()
    assert [path.name for path in lower.parent.iterdir()] == ["out"]


def test_what_was_half_gone_when_its_process_was_killed_comes_back_whole(lower):
    left = lower.parent / f".out.{replacing.host()}.17.0123abcd.tmp"
    shutil.copytree(lower, left / f"{replacing.LEAVING}0", symlinks=True)
    (lower / "b").unlink()
    assert replacing.remove_dead([lower.parent]) == []
    assert is_old(lower)
    assert [path.name for path in lower.parent.iterdir()] == ["out"]


def test_backups_of_snakemake_are_removed_and_their_folders_stay_for_a_run_beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    replacing.remove_backups(Path("results"))
    for place in ("results/figures/record.json", "elsewhere/record.json"):
        (replacing.BACKUPS / place).parent.mkdir(parents=True)
        (replacing.BACKUPS / place).touch()
    replacing.remove_backups(Path("results"))
    left = [path.relative_to(replacing.BACKUPS).as_posix() for path in sorted(replacing.BACKUPS.rglob("*"))]
    assert left == ["elsewhere", "elsewhere/record.json", "results", "results/figures"]


def test_two_that_replace_one_folder_leave_one_of_both(tmp_path):
    """As a job that outlived its snakemake, beside the one that the next run started."""
    code = "for n in range(200):\n  with replacing.replace_folder(final) as f: (f / 'a').write_text('w' * 9)\n"
    both = [start(tmp_path, code) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "a").read_text() == "w" * 9


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "SIGINT")])
def test_a_signal_ends_a_command_in_order(tmp_path, number, code, name):
    text = f"""
import os, pathlib, signal, time
from linear_probing import stage
# A shell that runs the tests in the background has its children ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
def main():
    with stage.replace_folder(pathlib.Path({str(tmp_path / "out")!r})) as folder:
        (folder / "a").write_text("half")
        os.kill(os.getpid(), {int(number)})
        time.sleep(60)
stage.run(main)
"""
    done = subprocess.run([sys.executable, "-c", text], check=False, capture_output=True, text=True)
    assert done.returncode == code
    assert done.stderr.startswith(f"StoppedError: told to end by {name} before it was done\n  likely: ")
    assert done.stderr.endswith("do:     run snakemake: what is finished stays\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "subject", "do"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no room left to write: No space", "make room there"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no room left to write: Disk quota", "make room there"),
        (OSError(errno.EROFS, "Read-only file system"), "no access: Read-only file system", "let this user write"),
        (PermissionError(errno.EACCES, "Permission denied"), "no access: Permission denied", "let this user write"),
        (OSError(errno.EIO, "Input/output error"), "the disk failed: Input/output error", "see what the system's log"),
        (MemoryError(), "memory ran out: MemoryError", "run fewer jobs at once"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "memory ran out", "run fewer jobs"),
        (SafetensorError("Error while serializing: I/O error: x (os error 28)"), "no room left to write", "make room"),
    ],
)
def test_the_machines_troubles_have_our_form(tmp_path, error, subject, do):
    with pytest.raises(MachineError) as caught, stage.replace_file(tmp_path / "out"):
        raise error
    text = str(caught.value)
    assert text.startswith(subject)
    assert f"file:   {tmp_path / 'out'}" in text
    assert f"do:     {do}" in text
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_the_code_keeps_its_traceback():
    for error in (FileNotFoundError(errno.ENOENT, "No such file"), ValueError("code: 28"), RuntimeError("allocate")):
        assert explained(error) is None


QUOTING = "data.csv: the label 'cannot allocate memory (os error 28)' has 1 row"


def test_what_a_user_wrote_in_a_table_is_not_taken_for_the_machines_words(tmp_path):
    for cause in (None, ValueError(QUOTING), KeyError(QUOTING)):
        error = StudyError(QUOTING)
        error.__cause__ = cause
        with pytest.raises(StudyError, match="has 1 row") as caught, stage.replace_file(tmp_path / "out"):
            raise error
        assert caught.value is error
        assert not is_of_memory(error)


def test_an_error_of_another_process_quotes_as_well():
    with processes.fresh(1) as pool, pytest.raises(StudyError, match="has 1 row") as caught:
        pool.submit(exec, f"from linear_probing.errors import StudyError\nraise StudyError({QUOTING!r})").result()
    assert QUOTING in str(caught.value.__cause__), "Python has its traceback there"
    assert explained(caught.value) is None


@pytest.mark.parametrize(
    ("cause", "subject"),
    [
        (MemoryError(), "memory ran out"),
        (RuntimeError("can't allocate memory: you tried"), "memory ran out"),
        (OSError(errno.EIO, "Input/output error", "a"), "the disk failed"),
    ],
)
def test_an_error_of_ours_that_the_machine_caused_is_told_as_the_machines(tmp_path, cause, subject):
    with pytest.raises(MachineError, match=subject) as caught, stage.replace_file(tmp_path / "out"):
        raise StudyError("a table cannot be read") from cause
    assert f"file:   {getattr(cause, 'filename', None) or tmp_path / 'out'}\n" in str(caught.value)
    wrapped = StudyError("a table cannot be read")
    wrapped.__cause__ = cause
    assert is_of_memory(wrapped) == (subject == "memory ran out")


def test_what_is_told_once_is_not_told_again(tmp_path):
    with (
        pytest.raises(MachineError, match=r"^memory ran out: can't allocate memory"),
        stage.replace_folder(tmp_path / "out") as folder,
        stage.replace_file(folder / "a"),
    ):
        raise RuntimeError("can't allocate memory")


@pytest.mark.parametrize(
    ("allowed", "do"),
    [
        ({os.F_OK}, "let this user read it, and run snakemake"),
        ({os.F_OK, os.R_OK}, "let this user write there, or make results a link"),
        ({os.X_OK}, "let this user write there, or make results a link"),
        (set(), "let this user read or write it, and run snakemake"),
    ],
    ids=["a file to read", "a file to write", "a file to make", "in a folder that is closed"],
)
def test_what_was_not_allowed_is_said_as_far_as_it_is_known(tmp_path, monkeypatch, allowed, do):
    monkeypatch.setattr(errors.os, "access", lambda path, mode: mode in allowed)  # root may do everything
    with pytest.raises(MachineError, match=f"do:     {do}"), stage.replace_file(tmp_path / "out"):
        raise PermissionError(errno.EACCES, "Permission denied", "data/mine.csv")


def test_a_folder_that_cannot_be_written_to_is_told_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    monkeypatch.setattr(replacing.os, "access", lambda path, mode: path.name != "closed")
    (error,) = replacing.unwritable([tmp_path / "closed" / "a" / "b", tmp_path / "open" / "a"])
    assert f"file:   {tmp_path / 'closed'}\n" in str(error)
    assert "do:     let this user write there" in str(error)


def test_a_link_of_such_a_name_is_not_followed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").touch()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / f".out.{replacing.host()}.17.0123abcd.tmp").symlink_to(tmp_path / "mine")
    assert replacing.remove_dead([tmp_path / "results"]) == []
    with replacing.replace_file(tmp_path / "results" / "out") as path:
        path.touch()
    assert (tmp_path / "mine" / "thesis").exists()
