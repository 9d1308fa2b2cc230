"""conftest.py - fixtures: installations that are real, with their own varnishd and lighttpd."""
import os

import pytest

import ceph as ceph_cluster
import injected_calls
from frames import BackEnd
from installation import Installation
from proxy import Proxy
from service import Service


# By marker: whether what a test needs is there, and what that is.
NEEDS = {
    "real_fastdfs": (bool(os.environ.get("PICSTORE_TEST_FASTDFS")),
                     "PICSTORE_TEST_FASTDFS=host:port names a tracker of a FastDFS cluster"),
    "optimised": ("ASAN_OPTIONS" not in os.environ, "a build without sanitizers"),
    "ceph": ({"no": False, "yes": True}.get(os.environ.get("PICSTORE_TEST_CEPH"), ceph_cluster.is_installed()),
             "Ceph (packages/ceph), and no PICSTORE_TEST_CEPH=no"),
    "taken_over": (injected_calls.POSSIBLE, "root, x86-64 and a build without sanitizers"),
}


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
def services():
    """services(program, settings) makes a daemon of services by itself."""
    made = []

    def make(*args):
        made.append(Service(*args))
        return made[-1]
    yield make
    for service in made:
        service.remove()


@pytest.fixture
def proxies():
    """proxies.back_end(...), proxies.proxy(pools, ...): gone after the test."""
    made = []

    class Make:
        @staticmethod
        def back_end(*args, **more):
            made.append(BackEnd(*args, **more).stop)
            return made[-1].__self__

        @staticmethod
        def proxy(pools, settings=None, services=None):
            one = Proxy(pools, settings, services)
            made.append(one.remove)
            return one.start()
    yield Make
    for remove in reversed(made):
        remove()


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
    for name, (_, needs) in NEEDS.items():
        config.addinivalue_line("markers", f"{name}: {needs}")


def pytest_collection_modifyitems(config, items):
    """What cannot be tried here is left out, and counted as that."""
    config.left_out = {}
    for name, (there, _) in NEEDS.items():
        out = [] if there else [item for item in items if item.get_closest_marker(name)]
        if out and name == "ceph":  # ./test --without ceph leaves these out, which counts as skipped
            for item in out:
                item.add_marker(pytest.mark.skip(reason=NEEDS[name][1]))
            config.left_out[name] = len(out)
            continue
        items[:] = [item for item in items if item not in out]
        if out:
            config.hook.pytest_deselected(items=out)
            config.left_out[name] = len(out)


def pytest_terminal_summary(terminalreporter, config):
    for name, count in getattr(config, "left_out", {}).items():
        terminalreporter.write_line(f"{count} tests left out, {name}: {NEEDS[name][1]}")
