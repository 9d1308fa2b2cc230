"""conftest.py - fixtures: installations that are real, with their own varnishd and lighttpd."""
import os

import pytest

from installation import Installation


@pytest.fixture(scope="session")
def shared():
    installation = Installation()
    try:
        yield installation.start("--no-self-test")
    finally:
        installation.remove()


@pytest.fixture
def stack(shared):
    """One for all tests that leave it as they found it."""
    return shared


@pytest.fixture
def installations():
    """installations(settings) makes one for this test alone."""
    made = []

    def make(settings=None, **more):
        made.append(Installation(settings, **more))
        return made[-1]
    yield make
    for one in made:
        one.remove()


@pytest.fixture
def own(installations):
    """A running one for this test alone, whose parts may be ill-treated."""
    return installations().start("--no-self-test")


@pytest.fixture
def session_key(shared):
    """Of each test its own: a key may not be used for ever."""
    return shared.token()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure comes with what the parts said."""
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    for name, value in item.funcargs.items():
        if isinstance(value, Installation) and value.process is not None:
            report.sections.append((f"logs of {name}", value.report()))


def pytest_configure(config):
    config.addinivalue_line("markers", "real_fastdfs: needs PICSTORE_TEST_FASTDFS=host:port")


def pytest_collection_modifyitems(config, items):
    """Without a FastDFS cluster its tests are left out, and counted as that."""
    if os.environ.get("PICSTORE_TEST_FASTDFS"):
        return
    out = [item for item in items if item.get_closest_marker("real_fastdfs")]
    items[:] = [item for item in items if item not in out]
    if out:
        config.hook.pytest_deselected(items=out)
        config.left_out = len(out)


def pytest_terminal_summary(terminalreporter, config):
    if getattr(config, "left_out", 0):
        terminalreporter.write_line(
            f"{config.left_out} tests with a real FastDFS left out: "
            "PICSTORE_TEST_FASTDFS=host:port names a tracker of one")
