"""A real Slurm of one node: its daemons with a fake gpu resource of two devices, in a folder of their own.

As root, without systemd: three daemons that are started by hand and stopped by the ids in their files. Slurm's programs
find the configuration in /etc/slurm alone, since Snakemake's executor hands no variable of Slurm's on to a job; so
a link stands there for as long as the daemons run. Another cluster's configuration there is never touched: a link is
ours if the file that it leads to can be read and says so. A signal is sent to the daemons whose ids stand in the folder
alone, and to what carries in its environment the mark that all have that these tests start.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LINK = Path("/etc/slurm/slurm.conf")
MARK = "started by tests/slurm"
VARIABLE = "STARTED_BY_TESTS_SLURM"
"""In the environment of all that these tests start: the folder of the daemons. Slurm hands it on to jobs."""
DAEMONS = ("slurmd", "slurmctld", "munged")
"""The one that the others need last."""
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "squeue")
CONFIGURATION = """\
# {mark}
ClusterName=test
SlurmctldHost={host}
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2
GresTypes=gpu
MinJobAge=3600
KillWait=5
ReturnToService=2
NodeName={host} CPUs=2 RealMemory={memory} Gres=gpu:fake:2 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
DEVICES = """\
NodeName={host} Name=gpu Type=fake File=/dev/null
NodeName={host} Name=gpu Type=fake File=/dev/zero
"""
CGROUPS = """\
CgroupPlugin=cgroup/v1
ConstrainCores=no
ConstrainDevices=no
ConstrainRAMSpace=no
ConstrainSwapSpace=no
"""


def load(place):
    """Return a file of the tests as a module."""
    spec = importlib.util.spec_from_file_location(Path(place).stem, TESTS / place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def done(*command):
    result = run(*command)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


def wait_until(said, asked, seconds=60):
    """Wait until something is so, and return what it is; `said` is the error if it never is."""
    end = time.monotonic() + seconds
    while not (found := asked()):
        assert time.monotonic() < end, said
        time.sleep(0.2)
    return found


def alive(pid):
    """Return whether a process runs; one that waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def started_by(folder):
    """Return the processes that the tests whose daemons' folder this is have started, but this one."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            marked = f"{VARIABLE}={folder}".encode() in (place / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended, or is another user's
            continue
        if marked and int(place.name) != os.getpid() and alive(place.name):
            found.append(int(place.name))
    return found


def is_program(pid, name):
    """Return whether a process runs a program: another one may have got the id of one that ended."""
    try:
        called, runs = Path(f"/proc/{pid}/comm").read_text().strip(), Path(f"/proc/{pid}/exe").readlink()
    except OSError:
        return False
    found = shutil.which(name)
    return called == name and found is not None and runs == Path(found).resolve()


def daemons(folder):
    """Return the ids of the daemons that run in a folder, the one that the others need last."""
    found = {name: folder / f"{name}.pid" for name in DAEMONS}
    ids = {name: file.read_text().strip() for name, file in found.items() if file.is_file()}
    return [int(pid) for name, pid in ids.items() if pid.isdecimal() and alive(pid) and is_program(pid, name)]


def start(folder):
    """Start the daemons in an empty folder and wait for the node."""
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    values = {"mark": MARK, "host": socket.gethostname(), "folder": folder, "memory": megabytes - 500}
    values |= {"controller": ports[0], "node": ports[1]}
    for name, text in (("slurm", CONFIGURATION), ("gres", DEVICES), ("cgroup", CGROUPS)):
        (folder / f"{name}.conf").write_text(text.format(**values))
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    (folder / "owner.pid").write_text(str(os.getpid()))
    LINK.parent.mkdir(exist_ok=True)
    LINK.symlink_to(folder / "slurm.conf")
    files = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munged.pid"}
    files |= {"log-file": "munged.log", "seed-file": "munged.seed"}
    done("munged", "--force", *(f"--{option}={folder / name}" for option, name in files.items()))
    for name in ("slurmctld", "slurmd"):
        done(name, "-f", str(folder / "slurm.conf"))
    wait_until("the node is not idle", lambda: "idle" in run("sinfo", "--noheader", "--format=%T").stdout)


def send(what, pids):
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def stop(folder):
    """Stop the daemons of a folder and all jobs of these tests, each by its id, and take the link away."""
    pids = daemons(folder)
    if len(pids) == 3:
        run("scancel", "--full", "--user=root")
        end = time.monotonic() + 30
        while run("squeue", "--noheader").stdout.strip() and time.monotonic() < end:
            time.sleep(0.5)
    send(signal.SIGTERM, pids)
    end = time.monotonic() + 20
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.2)
    send(signal.SIGKILL, [*daemons(folder), *started_by(folder)])
    if LINK.is_symlink() and LINK.readlink().parent == folder:
        LINK.unlink()


def is_ours():
    """Return whether the link stands there and leads to a configuration that these tests have written."""
    try:
        return LINK.is_symlink() and LINK.read_text(errors="replace").startswith(f"# {MARK}\n")
    except OSError:
        return False


def check_machine():
    """Fail with what to do where Slurm cannot be started, and end what a killed test has left."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        pytest.fail(f"there is no {absent[0]}; do: make setup-slurm, as root", pytrace=False)
    if os.getuid():
        pytest.fail("Slurm's daemons are started as root; do: run make test-slurm as root", pytrace=False)
    if LINK.is_symlink() and not LINK.exists():
        pytest.fail(
            f"{LINK} leads to {LINK.readlink()}, which cannot be read: nobody can tell whose it is; do: if it is"
            f" another cluster's, run it on a machine that has none; if `make test-slurm` left it, rm {LINK}",
            pytrace=False,
        )
    if is_ours():
        folder = LINK.readlink().parent
        owner = folder / "owner.pid"
        if owner.is_file() and alive(owner.read_text()):
            pytest.fail(f"another make test-slurm runs in {folder}; do: wait for it", pytrace=False)
        stop(folder)
        LINK.unlink(missing_ok=True)
    if LINK.exists():
        pytest.fail(f"{LINK} is another cluster's; do: run it on a machine that has none", pytrace=False)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """Start Slurm and return its folder; nothing of it outlives the tests."""
    check_machine()
    folder = tmp_path_factory.mktemp("slurm").resolve()
    os.environ[VARIABLE] = str(folder)  # for all that is started from here on
    try:
        start(folder)
        yield folder
    finally:
        pids = daemons(folder)
        stop(folder)
        del os.environ[VARIABLE]
    assert len(pids) == 3, "a daemon ended before the tests did"
    assert not any(map(alive, pids)), "a daemon outlived its test"
    assert not started_by(folder), "a job outlived its test"


@pytest.fixture(scope="session")
def clones():
    """Return what the tests of the workflow make copies of the working tree with."""
    return load("workflow/conftest.py").copy_working_tree


@pytest.fixture(scope="session")
def uses():
    """Return what reads from records which job had which device, and when."""
    return load("workflow/test_devices.py").uses


@pytest.fixture(scope="session")
def until():
    """Return what waits until something is so."""
    return wait_until
