"""What a fault is: a row of the table of docs/under-fire.md."""


class Fault:
    """row: of the table; goal: how often a long run does it; hold: seconds between strike and heal, from and to."""

    row, name, goal, hold, brokers = "", "", 0, (0, 0), (1, 3)

    def __init__(self):
        self.done = 0

    def unable(self, world):
        """Why it cannot be done here, or None."""
        return None

    def strike(self, world, chance):
        """Does it; what was done, in a line."""
        raise NotImplementedError

    def heal(self, world):
        """Ends it. It may raise AssertionError: the fault has not done what it must do."""


def some(chance, world, most=3):
    instances = world.alive_instances()
    return chance.sample(instances, min(len(instances), chance.choice((1, 1, 2, most))))


def one(chance, world, *kinds):
    return chance.choice([instance for instance in world.alive_instances() if not kinds or instance.kind in kinds])
