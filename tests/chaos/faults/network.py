"""The network between processors and brokers: cut (both ways, one way, half-open, the coordinator alone) by nftables in a namespace of the test's own; bad by a proxy."""

import re
import time

from faults.base import Fault


class Cut(Fault):
    row, name, goal, hold = "network cut, one way, half-open, coordinator only", "cut", 60, (1, 9)

    def unable(self, world):
        return world.cluster.network.unable

    def strike(self, world, chance):
        ports = {broker.number: broker.outer for broker in world.cluster.brokers}
        every = "{ " + ", ".join(map(str, ports.values())) + " }"
        kinds = ["both ways, silently", "both ways, refused", "requests lost", "answers lost", "half-open"]
        if len(ports) > 1:
            kinds += ["coordinator only", "one broker only"]
        kind = chance.choice(kinds)
        incoming, outgoing = [f"tcp sport {every} drop"], [f"tcp dport {every} drop"]
        if kind == "both ways, refused":
            incoming, outgoing = [], [f"tcp dport {every} reject with tcp reset"]
        elif kind == "requests lost":
            incoming = []
        elif kind == "answers lost":
            outgoing = []
        elif kind == "half-open":      # what is open stands still, what is new gets through
            outgoing = [f"tcp dport {every} ct state new accept", f"tcp dport {every} ct mark 1 drop"]
            incoming = [f"tcp sport {every} ct mark 1 drop"]
            world.cluster.network.rules([], [f"tcp dport {every} ct state established ct mark set 1"])
            time.sleep(1)       # all that is open says something and is marked
        elif kind in ("coordinator only", "one broker only"):
            number = self.coordinator(world) if kind == "coordinator only" else chance.choice(list(ports))
            incoming, outgoing = [f"tcp sport {ports[number]} drop"], [f"tcp dport {ports[number]} drop"]
            kind += f", broker {number}"
        world.cluster.network.rules(incoming, outgoing)
        return f"network cut: {kind}"

    def coordinator(self, world):
        processor = world.alive_instances()[0].kind
        told = world.cluster.kafka_tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--describe", "--state", "--group", f"kontor.{processor}")
        return int(re.search(r"\((\d+)\)", told).group(1))

    def heal(self, world):
        world.cluster.network.rules()
        self.done += 1


class Bad(Fault):
    """A minute of bad weather each in the long run; the short one has less of it."""

    row, name, goal, hold = "network bad: 200 ± 100 ms, stalls, resets in the middle of a message, 1 Mbit, 5 % lost", "bad", 10, (15, 60)

    def strike(self, world, chance):
        weather = world.cluster.proxies.weather
        kinds = ["200 ± 100 ms", "stalls", "resets", "1 Mbit"] + ([] if world.cluster.network.unable else ["5 % lost"])
        kind = chance.choice(kinds)
        self.resets_before = world.cluster.proxies.resets_done
        if kind == "200 ± 100 ms":
            weather.latency = (0.2, 0.1)
        elif kind == "stalls":
            weather.stalls = True
            world.every(1.0, self, lambda: setattr(weather, "stalled", chance.random() < 0.5))
        elif kind == "resets":
            world.every(0.5, self, lambda: setattr(weather, "resets", chance.randrange(3)))
        elif kind == "1 Mbit":
            weather.bytes_per_s = 125000
        else:
            world.cluster.network.rules(["numgen random mod 100 < 5 drop"], ["numgen random mod 100 < 5 drop"])
        return f"network bad: {kind}"

    def heal(self, world):
        world.no_more(self)
        world.cluster.proxies.weather.clear()
        if not world.cluster.network.unable:
            world.cluster.network.rules()
        self.done += 1


ALL = (Cut, Bad)
