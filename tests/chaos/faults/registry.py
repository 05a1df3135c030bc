"""The schema registry is away, slow, answers 500 or another schema. What needs it waits; good records never go to the dead letters (the checkers see them)."""

import shutil

from cluster import wait_until
from faults.base import Fault, some


class Registry(Fault):
    row, name, goal, hold = "registry down, slow, 500, wrong schema", "registry", 50, (2, 5)

    def strike(self, world, chance):
        proxy = world.cluster.registry_proxy
        proxy.mode = self.mode = chance.choice(("down", "slow", "500", "wrong"))
        self.victims = some(chance, world)
        for victim in self.victims:
            with victim.lock:
                if self.mode == "wrong":    # it knows its schemas: another text under a known id is not believed
                    victim.allow(self.name, (3, "schema"), (1, "schema"))
                world.hold_down(victim, self.name)
                if self.mode != "wrong":    # it has forgotten what it knew, and must ask
                    shutil.rmtree(victim.state / "schemas", ignore_errors=True)
                world.let_up(victim)
        if self.mode != "wrong":
            for victim in self.victims:
                wait_until(lambda: "schema registry" in victim.http("/readyz")[1], 20, f"{victim.name} says that it waits for the registry")
        return f"registry {self.mode}, {', '.join(victim.name for victim in self.victims)} started" + ("" if self.mode == "wrong" else " without a schema")

    def heal(self, world):
        world.cluster.registry_proxy.mode = None
        for victim in self.victims:
            victim.forbid(self.name)
        self.done += 1


ALL = (Registry,)
