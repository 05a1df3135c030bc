"""Brokers killed, stopped in order, their leaderships moved: one, one after the other, all."""

import contextlib

from cluster import wait_until
from faults.base import Fault


def gone_together(world):
    """Around the end of every broker that has a copy. A broker that starts forgets producers whose newest record is older than producer.id.expiration.ms, a day, by the record's
    own time, and the load is of years ago: of what `kontor produce` has under way some would be taken twice. The processors' producers are not forgotten: a transaction that is
    open keeps them, and its marker has the broker's time."""
    return world.feeding.held()


class OneBroker(Fault):
    row, name, goal, hold = "brokers killed: one, rolling, all", "broker", 60, (0, 4)

    def strike(self, world, chance):
        cluster = world.cluster
        self.broker = chance.choice(cluster.brokers)
        self.how = chance.choice(("kill -9", "controlled stop"))
        with gone_together(world) if len(cluster.brokers) == 1 else contextlib.nullcontext():
            cluster.fence(self.broker) if self.how == "kill -9" else self.broker.stop(60)
        return f"{self.how} of {self.broker.name_shown}"

    def heal(self, world):
        self.broker.start().wait_ready(120)
        if len(world.cluster.brokers) > 1:
            world.cluster.await_in_sync(120)
        world.cluster.check_markers()
        self.done += 1


class RollingBrokers(Fault):
    row, name, goal, brokers = "brokers killed: one, rolling, all", "rolling", 20, (3,)

    def strike(self, world, chance):
        cluster, how = world.cluster, chance.choice(("kill -9", "controlled stop"))
        for broker in cluster.brokers:
            cluster.fence(broker) if how == "kill -9" else broker.stop(60)
            broker.start().wait_ready(120)
            cluster.await_in_sync(120)
        return f"{how} of one broker after the other"

    def heal(self, world):
        world.cluster.check_markers()
        self.done += 1


class AllBrokers(Fault):
    row, name, goal, hold, brokers = "brokers killed: one, rolling, all", "all-brokers", 10, (0, 3), (3,)

    def strike(self, world, chance):
        how = chance.choice(("kill -9", "controlled stop"))
        with gone_together(world):
            if how == "controlled stop":
                for broker in world.cluster.brokers:
                    broker.process.terminate()
                with contextlib.suppress(TimeoutError):     # the last ones have nobody to give their leaderships to, and wait for that
                    wait_until(lambda: not any(broker.alive() for broker in world.cluster.brokers), 40, "all brokers stopped")
            for broker in world.cluster.brokers:
                broker.kill()
        return f"{how} of all brokers at once"

    def heal(self, world):
        for broker in world.cluster.brokers:
            broker.start()
        for broker in world.cluster.brokers:
            broker.wait_ready(120)
        world.cluster.await_in_sync(120)
        world.cluster.check_markers()
        self.done += 1


class LeadersMoved(Fault):
    """The leaderships that a stop has left where they were not go back to their first broker, under load."""

    row, name, goal, brokers = "brokers killed: one, rolling, all", "leaders", 20, (3,)

    def strike(self, world, chance):
        broker = chance.choice(world.cluster.brokers)
        broker.stop(60)
        broker.start().wait_ready(120)
        world.cluster.await_in_sync(120)
        world.cluster.kafka_tool("org.apache.kafka.tools.LeaderElectionCommand", "--election-type", "preferred", "--all-topic-partitions")
        return f"leaders moved away from {broker.name_shown} and back"

    def heal(self, world):
        wait_until(lambda: all(broker.alive() for broker in world.cluster.brokers), 5, "all brokers")
        self.done += 1


ALL = (OneBroker, RollingBrokers, AllBrokers, LeadersMoved)
