"""Two nodes of a Ray cluster: the same results.json as from processes of this machine, also where a node dies."""

import logging
import time

import pytest
from lab.small import SMALL

from torchnoise.lab.compare import compare
from torchnoise.lab.prepare import prepare
from torchnoise.lab.watcher import Watcher

pytest.importorskip("ray", reason="needs the extra 'ray'")
# Ray's own threads and sockets end after its tests do
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def cluster():
    import ray
    from ray.cluster_utils import Cluster

    store = 80 * 2**20
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": store})
    try:
        cluster.second = cluster.add_node(num_cpus=1, object_store_memory=store)
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


class KillNode(Watcher):
    """Takes the second node away after some runs."""

    def __init__(self, cluster, after):
        self.cluster, self.left = cluster, after

    def finished(self, record, before):
        self.left -= 1
        if self.left == 0:
            self.cluster.remove_node(self.cluster.second, allow_graceful=False)


def test_two_nodes_and_then_one(small, small_folder, cluster, tmp_path):
    from torchnoise.lab.engines.ray import RayEngine

    with RayEngine() as engine:
        assert engine.at_a_time == 2
        compare(SMALL, prepare(SMALL), tmp_path / "two", engine)
        assert (tmp_path / "two" / "results.json").read_bytes() == (small_folder / "results.json").read_bytes()
        compare(SMALL, prepare(SMALL), tmp_path / "killed", engine, KillNode(cluster, after=6))
        assert (tmp_path / "killed" / "results.json").read_bytes() == (small_folder / "results.json").read_bytes()
        deadline = time.monotonic() + 60  # until the head has noticed
        while engine.at_a_time == 2 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert engine.at_a_time == 1
