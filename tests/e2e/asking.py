"""A small company with both processors running, a few records sent to it, and what became of them."""

from contextlib import contextmanager

from cluster import Cluster, wait_until
from small import master, write_master
from world import PROCESSORS, consume, prepare

MDM = {"tables.source": "MDM"}


def acknowledged(cluster):
    """The newest acknowledgment by event id."""
    return {record["value"]["event_id"]: record["value"] for record in consume(cluster, "acknowledgments")}


def outcome_of(cluster, value, deadline_s=30):
    return wait_until(lambda: acknowledged(cluster).get(value["event_id"]), deadline_s, f"acknowledgment of {value['document']}", interval_s=0.2)


def reasons(acknowledgment):
    return sorted(reason["code"] for reason in acknowledgment["reasons"])


def send(cluster, topic, *lines, options=()):
    cluster.kontor("produce", topic, *options, input="".join(lines))


@contextmanager
def company(folder, **options):
    """options: the Cluster's. (cluster, processors): topics of 4 partitions, the master data of small.py, both processors ready."""
    with Cluster(folder, **options) as cluster:
        write_master(folder / "small" / "master", master())
        prepare(cluster, folder / "small", partitions=4)
        processors = [cluster.processor(binary, properties=MDM) for binary in PROCESSORS]
        for processor in processors:
            processor.start().wait_ready()
        yield cluster, processors
