"""Sending a few records and asking what became of them."""

from cluster import wait_until
from world import consume

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
