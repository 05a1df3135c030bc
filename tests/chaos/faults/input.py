"""What comes in: floods of poison, a record of 10 MB. (The hot key is the load's: half of all events are of one supplier.)"""

import base64
import json

from cluster import wait_until
from faults.base import Fault, one

OF_PROCESSOR = {"procurement": "procurement.events", "invoice": "invoice.events", "payment": "payment.events", "expense": "expense.events", "journal": "journal.events"}


class Poison(Fault):
    """Garbage on the inputs: a little goes to the dead letters, a flood pauses the processor until it is started again by somebody who wants it taken."""

    row, name, goal, hold = "poison flood, 10 MB record, hot key with half of all events", "poison", 20, (0, 1)

    def strike(self, world, chance):
        self.victim = one(chance, world, *OF_PROCESSOR)
        self.flood = chance.choice((False, False, True))
        count = 1500 if self.flood else chance.randrange(10, 90)
        topic, first = OF_PROCESSOR[self.victim.kind], 1514764800000
        keys = [f"poison-{self.victim.name}-{len(world.poison.get(topic, {}))}-{number}" for number in range(count)]
        lines = [json.dumps({"timestamp": first, "key": key, "value": base64.b64encode(chance.randbytes(chance.randrange(1, 300))).decode()}) for key in keys]
        world.cluster.kontor("produce", topic, "--raw", input="\n".join(lines) + "\n")
        world.poison.setdefault(topic, {}).update(dict.fromkeys(keys, 1))
        if self.flood:
            wait_until(lambda: any(instance.metric("kontor_paused") == 1 for instance in self.of_kind(world)), 40, f"a flood pauses {self.victim.kind}")
        return f"{count} records of garbage on {topic}" + (", which paused its processor" if self.flood else "")

    def of_kind(self, world):
        return [instance for instance in world.alive_instances() if instance.kind == self.victim.kind]

    def heal(self, world):
        if self.flood:
            for instance in self.of_kind(world):
                instance.overrides["poison.flood.percent"] = "100"
                world.restart(instance, "to take the flood", "stop")
        self.done += 1


class Large(Fault):
    """A record of 10 MB, which no topic takes unless somebody has raised its limit: here somebody has."""

    row, name, goal = Poison.row, "large", 5

    def strike(self, world, chance):
        victim = one(chance, world, *OF_PROCESSOR)
        topic = OF_PROCESSOR[victim.kind]
        if topic not in world.raised:
            world.cluster.kafka_tool("kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", "max.message.bytes=16777216")
            world.raised.add(topic)
        key = f"large-{len(world.poison.get(topic, {}))}"
        world.cluster.tool("large", world.cluster.bootstrap, topic, key, 10 * 1024 * 1024, 1514764800000)
        world.poison.setdefault(topic, {})[key] = 1
        return f"a record of 10 MB on {topic}"

    def heal(self, world):
        self.done += 1


ALL = (Poison, Large)
