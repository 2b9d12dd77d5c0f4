"""The lock files, the conda file made from them, and the installer that reads them."""

import ast
import fcntl
import importlib
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ENVS = ROOT / "envs"
HASH = "--hash=sha256:" + "0" * 64
ENTRIES = {
    "always": f"alpha==1.0 \\\n    {HASH}\n",
    "old": f"beta==1.0 ; python_full_version < '3.12' \\\n    {HASH} \\\n    {HASH[:-1]}1\n",
    "new": f"beta==2.0 ; python_full_version >= '3.12' \\\n    {HASH}\n",
    "torch": f"torch==2.13.0 \\\n    {HASH}\n",
    "cuda": f"nvidia-cublas==13.1 ; sys_platform == 'linux' \\\n    {HASH}\n",
}


@pytest.fixture
def install(monkeypatch):
    monkeypatch.syspath_prepend(ENVS)
    return importlib.import_module("install")


@pytest.fixture
def conda(install):
    return importlib.import_module("conda")


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "study.lock"
    path.write_text("".join(ENTRIES.values()))
    return path


def requirements(name):
    lines = (line.strip() for line in (ENVS / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


def imported(folder):
    names = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"linear_probing"}


def test_conda_file_holds_the_lock(install):
    content = yaml.safe_load((ENVS / "study.yaml").read_text())
    (section,) = (entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))
    found = set()
    for line in section:
        requirement, *hashes = line.split(" --hash=")
        found.add((requirement, frozenset(hashes)))
    expected = {(pin.requirement, frozenset(pin.hashes)) for pin in install.read_pins(ENVS / "study.lock")}
    assert found == expected, "do: make lock"


def test_conda_file_is_what_its_script_writes(install, conda):
    expected = conda.render(install.read_pins(ENVS / "study.lock"))
    assert (ENVS / "study.yaml").read_text() == expected, "do: make lock"


def test_conda_file_names_the_supported_pythons(install):
    content = yaml.safe_load((ENVS / "study.yaml").read_text())
    metadata = (ROOT / "pyproject.toml").read_text()
    assert 'requires-python = ">=3.11,<3.14"' in metadata
    assert "python >=3.11,<3.14" in content["dependencies"]
    assert (install.OLDEST, install.NEWEST) == ((3, 11), (3, 13))


@pytest.mark.parametrize("name", ["study", "develop", "notes", "storage", "s3-server", "audit", "pip"])
def test_every_direct_requirement_is_pinned(install, name):
    versions = {}
    for pin in install.read_pins(ENVS / f"{name}.lock"):
        versions.setdefault(pin.name, []).append(pin.version)
    for requirement in requirements(f"{name}.in"):
        pinned = versions.get(canonicalize_name(requirement.name), [])
        assert pinned, f"{requirement.name} is not in {name}.lock; do: make lock"
        assert all(requirement.specifier.contains(version) for version in pinned), requirement


def test_both_locks_agree(install):
    assert install.covered(ENVS / "develop.lock") == [ENVS / "develop.lock", ENVS / "study.lock"]


def test_the_notes_environment_stands_alone_but_has_the_studys_torch(install):
    assert install.covered(ENVS / "notes.lock") == [ENVS / "notes.lock"]
    notes, study = (install.read_pins(ENVS / f"{name}.lock") for name in ("notes", "study"))
    assert install.torch_requirement(notes, ENVS) == install.torch_requirement(study, ENVS)


@pytest.mark.parametrize(
    "name", ["study.lock", "develop.lock", "notes.lock", "s3-server.lock", "audit.lock", "pip.lock", "study.yaml"]
)
def test_no_index_and_no_host_is_named(name):
    lines = [line for line in (ENVS / name).read_text().splitlines() if not line.startswith("#")]
    assert not re.search(r"://|index-url|find-links|trusted-host|@ ", "\n".join(lines))


def test_what_the_package_imports_is_required_by_name():
    distributions = packages_distributions()
    named = {canonicalize_name(requirement.name) for requirement in requirements("study.in")}
    for module in imported(ROOT / "src"):
        sources = {canonicalize_name(name) for name in distributions.get(module, [module])}
        assert sources & named, f"{module} is imported under src/; do: name it in envs/study.in, make lock"


def test_pins_are_read_with_markers_and_hashes(install, lock):
    pins = install.read_pins(lock)
    assert [pin.requirement for pin in pins] == [
        "alpha==1.0",
        "beta==1.0 ; python_full_version < '3.12'",
        "beta==2.0 ; python_full_version >= '3.12'",
        "torch==2.13.0",
        "nvidia-cublas==13.1 ; sys_platform == 'linux'",
    ]
    assert pins[1].hashes == ("sha256:" + "0" * 64, "sha256:" + "0" * 63 + "1")


def test_torch_and_its_libraries_are_left_to_the_second_step(install, lock):
    pins = install.read_pins(lock)
    lines = install.hashed_lines(pins)
    assert [line.split()[0] for line in lines] == ["alpha==1.0", "beta==1.0", "beta==2.0"]
    assert lines[0] == f"alpha==1.0 {HASH}"
    assert install.constraint_lines(pins) == [pin.requirement for pin in pins[:3]]
    assert install.torch_requirement(pins, lock) == "torch==2.13.0"


@pytest.mark.parametrize("name", ["torchmetrics", "pytorch", "nvidia", "tritonclient"])
def test_only_torch_and_its_libraries_depend_on_the_build(install, name):
    assert not install.Pin(name, "1", "", ("sha256:0",)).depends_on_build


@pytest.mark.parametrize(
    "entry", ["alpha>=1.0 " + HASH, "alpha==1.0", "--index-url somewhere", "alpha==1.0 --hash=md5:0"]
)
def test_a_line_that_is_no_hashed_pin_is_refused(install, lock, entry):
    lock.write_text(ENTRIES["torch"] + entry + "\n")
    pattern = r"(?s)study\.lock: expected NAME==VERSION --hash.*do:     make lock"
    with pytest.raises(SystemExit, match=pattern) as error:
        install.read_pins(lock)
    assert entry[:10] in str(error.value)


@pytest.mark.parametrize(
    ("entries", "found"), [(["always", "cuda"], 0), (["torch", "torch"], 2), (["always", "torch", "torch"], 2)]
)
def test_a_lock_with_parts_of_torch_or_several_is_refused(install, lock, entries, found):
    lock.write_text("".join(ENTRIES[name] for name in entries))
    with pytest.raises(SystemExit, match=rf"(?s)expected one pin of torch, found {found}.*do:     make lock"):
        install.torch_requirement(install.read_pins(lock), lock)


@pytest.mark.parametrize(("name", "has"), [("audit", False), ("s3-server", False), ("study", True)])
def test_a_lock_of_tools_needs_no_torch_and_gets_no_package(install, tmp_path, monkeypatch, name, has):
    ran = []
    monkeypatch.setattr(install, "pip", lambda _, *commands: ran.extend(commands))
    install.install(tmp_path, ENVS / f"{name}.lock", ROOT)
    words = [word for command in ran for word in command]
    assert any(word.startswith("torch==") for word in words) is has
    assert ("--editable" in words) is has
    assert words.count("--require-hashes") == 3
    assert words.index(str(install.PIP)) < min(place for place, word in enumerate(words) if "hashed-" in word)
    assert words[-1] == "check"


@pytest.mark.parametrize("version", [(3, 10), (3, 14), (2, 7)])
def test_other_pythons_are_refused(install, version):
    pattern = rf"(?s)Python {version[0]}\.{version[1]} .* expected 3\.11 to 3\.13.*do: .*PYTHON=python3\.13"
    with pytest.raises(SystemExit, match=pattern):
        install.check_python(version, makes_environments=True)


def test_a_python_without_ensurepip_is_refused(install):
    with pytest.raises(SystemExit, match=r"(?s)without ensurepip.*do:     install its venv package"):
        install.check_python((3, 12), makes_environments=False)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_supported_pythons_pass(install, version):
    install.check_python(version, makes_environments=True)


def test_the_stamp_follows_lock_pip_and_metadata(install, lock, tmp_path, monkeypatch):
    metadata = tmp_path / "pyproject.toml"
    metadata.write_text("[project]\n")
    first = install.stamp(tmp_path / ".venv", lock, tmp_path)
    assert re.fullmatch(r"study-[0-9a-f]{64}\.stamp", first.name)
    assert install.stamp(tmp_path / ".venv", lock, tmp_path) == first
    metadata.write_text("[project]\nname = 'other'\n")
    second = install.stamp(tmp_path / ".venv", lock, tmp_path)
    lock.write_text(ENTRIES["torch"])
    third = install.stamp(tmp_path / ".venv", lock, tmp_path)
    monkeypatch.setattr(install, "PIP", tmp_path / "pip.lock")
    install.PIP.write_text(ENTRIES["always"])
    assert len({first, second, third, install.stamp(tmp_path / ".venv", lock, tmp_path)}) == 4


def test_a_lock_covers_its_parts_only(install, lock, tmp_path):
    develop = tmp_path / "develop.lock"
    develop.write_text(lock.read_text() + f"gamma==1.0 {HASH}\n")
    assert install.covered(develop) == [develop, lock]
    assert install.covered(lock) == [lock]


def test_what_a_killed_installation_left_is_made_anew(install, tmp_path, monkeypatch):
    monkeypatch.setattr(install.venv, "create", lambda folder, **_: (folder / "pyvenv.cfg").touch())
    environment = tmp_path / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").touch()
    (environment / "half").touch()
    (environment / install.BEGUN).touch()
    install.begin(environment)
    assert sorted(path.name for path in environment.iterdir()) == [install.BEGUN, "pyvenv.cfg"]


def test_a_finished_environment_is_kept_but_no_longer_called_finished(install, tmp_path):
    environment = tmp_path / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").touch()
    (environment / "study-0.stamp").touch()
    install.begin(environment)
    assert sorted(path.name for path in environment.iterdir()) == [install.BEGUN, "bin"]


def test_an_environment_is_held_until_the_last_pip_ends(install, tmp_path):
    environment = tmp_path / ".venv"
    with install.alone(environment):
        outliving = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with (environment / install.LOCKED).open() as second:
            with pytest.raises(BlockingIOError):
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            outliving.kill()
            outliving.wait()
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        outliving.kill()
        outliving.wait()


def test_a_failed_step_leaves_no_stamp(install, lock, tmp_path, monkeypatch):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    environment = tmp_path / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(shutil.which("false"))
    command = ["install.py", str(lock), "--environment", str(environment), "--project", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as error:
        install.main()
    assert error.value.code == 1
    assert not list(environment.glob("*.stamp"))
    assert (environment / install.BEGUN).exists()


def test_byte_code_is_kept_whatever_the_container_says():
    """Fifty jobs and hundreds of tests would each compile what they import."""
    shown = "show: ; @$(PYTHON) -c 'import sys; print(sys.dont_write_bytecode)'"
    command = ["make", "-C", str(ROOT), "-s", "--eval", shown, "show"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
