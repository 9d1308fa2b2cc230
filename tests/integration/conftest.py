"""conftest.py - fixtures: installations that are real, with their own varnishd and lighttpd."""
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
