"""How many examples each test of this folder runs, and how many it ran.

    make test    # the profile `short`: the same few examples in every run
    make fuzz    # the profile `nightly`: thousands, new ones in every run

A test says both numbers, `@pytest.mark.examples(short=20, nightly=2000)`; at its end the terminal has what ran.
"""

import functools
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

ALIKE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("short", derandomize=True, database=None, **ALIKE)
settings.register_profile("nightly", print_blob=True, **ALIKE)
RAN: Counter[str] = Counter()


def pytest_collection_modifyitems(config, items):
    profile = "nightly" if config.getoption("--hypothesis-profile") == "nightly" else "short"
    for item in items:
        mark = item.get_closest_marker("examples")
        if mark is None or hasattr(item.obj, "fuzzed"):
            continue
        settings(settings.get_profile(profile), max_examples=mark.kwargs[profile])(item.obj)
        item.obj.hypothesis.inner_test = counted(item.obj.hypothesis.inner_test)
        item.obj.fuzzed = True


def counted(test):
    """Return a test that counts the examples that it was run on to the end, under its own name."""

    @functools.wraps(test)
    def run(*arguments, **named):
        test(*arguments, **named)
        RAN[test.__name__] += 1

    return run


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    RAN.clear()
    yield
    item.user_properties.append(("examples", sum(RAN.values())))


def pytest_terminal_summary(terminalreporter):
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])]
    ran = {one.nodeid.split("/")[-1]: dict(one.user_properties).get("examples") for one in reports}
    ran = {name: number for name, number in ran.items() if number is not None}
    if ran:
        terminalreporter.section("examples")
        for name, number in sorted(ran.items()):
            terminalreporter.write_line(f"{number:7,} {name}")
        terminalreporter.write_line(f"{sum(ran.values()):7,} in all")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Return a folder that all examples of a session write into, one after the other."""
    return tmp_path_factory.mktemp("fuzz")
