import pytest
from lab.small import SMALL

from torchnoise.lab.compare import compare
from torchnoise.lab.engines import LocalEngine
from torchnoise.lab.prepare import prepare


@pytest.fixture(scope="session")
def engine():
    """Two processes that all tests share: starting them takes seconds."""
    with LocalEngine(2) as engine:
        yield engine


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="session")
def small(engine, small_folder):
    """Results and timing of the small comparison."""
    return compare(SMALL, prepare(SMALL), small_folder, engine)
