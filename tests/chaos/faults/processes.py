"""Processors killed, frozen, doubled, coming and going."""

import time

from cluster import free_port, wait_until
from faults.base import Fault, one, some

POINTS = ("after-begin", "after-produce", "before-seal", "after-seal", "before-offsets", "after-offsets", "before-commit", "after-commit", "before-state", "after-state")


class Kill(Fault):
    row, name, goal, hold = "processor killed", "kill", 200, (0, 0)

    def strike(self, world, chance):
        victims = some(chance, world)
        time.sleep(chance.uniform(0, 0.4))      # when it is killed is the test's input
        for victim in victims:
            world.kill(victim, self.name)
        self.done += len(victims)
        return f"kill -9 of {', '.join(victim.name for victim in victims)}"


class Point(Fault):
    """At a named point of the loop (common/runtime/fault.h). What has not come to its point when the load is over is disarmed and not counted."""

    row, name, goal, hold = "processor killed", "point", 300, (0, 0)

    def __init__(self):
        super().__init__()
        self.by_point = dict.fromkeys(POINTS, 0)

    def strike(self, world, chance):
        fewest = min(self.by_point.values())
        point = chance.choice([point for point, times in self.by_point.items() if times == fewest])
        self.victims, words = some(chance, world), []
        for victim in self.victims:
            victim.allow(self.name, (-9, ""))
            with victim.lock:
                world.hold_down(victim, "point, to arm it")
                times = chance.choice((1, 1, 2, 3))
                victim.once = {"fault": f"{point}:{times}"}
                world.let_up(victim)
                victim.armed = victim.process.pid
            words.append(f"{victim.name} the {times}. time")
        self.point = point
        deadline = time.monotonic() + 12
        while time.monotonic() < deadline and any(self.waits(victim) for victim in self.victims):
            time.sleep(0.05)
        return f"killed at {point}: {', '.join(words)}"

    @staticmethod
    def waits(victim):
        with victim.lock:
            return victim.process is not None and victim.process.pid == victim.armed

    def heal(self, world):
        for victim in self.victims:
            if self.waits(victim):
                world.restart(victim, "point, disarmed")
            else:
                self.done += 1
                self.by_point[self.point] += 1
            victim.forbid(self.name)


class Zombie(Fault):
    row, name, goal, hold = "zombie: frozen beyond session and transaction time-out, thawed", "zombie", 50, (8, 10)

    def strike(self, world, chance):
        self.victims = some(chance, world)
        for victim in self.victims:
            victim.allow(self.name, (4, "instance.name"))      # where another took its place meanwhile
            victim.pause()
        return f"SIGSTOP of {', '.join(victim.name for victim in self.victims)}"

    def heal(self, world):
        for victim in self.victims:
            victim.resume()
        self.done += len(self.victims)
        for victim in self.victims:
            victim.forbid(self.name)


class Twin(Fault):
    """A second process with the same transactional.id and place in the group, on another folder. One of the two must end with 4 and say why."""

    row, name, goal, hold = "twin with the same transactional id, also mid-commit", "twin", 100, (0, 0)

    def strike(self, world, chance):
        victim = self.victim = one(chance, world)
        victim.allow(self.name, (4, "instance.name"))
        self.before = len(world.exits)
        self.mid_commit = chance.choice((False, True))
        where = ""
        if self.mid_commit:     # the first stands still in the middle of a commit, and goes on when the other has taken over
            where = f" while the first stands still at {(point := chance.choice(('after-offsets', 'before-commit', 'after-commit', 'before-state')))}"
            with victim.lock:
                world.hold_down(victim, "twin, to arm it")
                victim.once = {"fault": f"{point}:1:stop"}
                world.let_up(victim)
            try:
                wait_until(lambda: victim.frozen() or not victim.alive(), 12, "the first stands still", interval_s=0.02)
            except TimeoutError:
                where = " (the first did not come to its point)"
        self.twin = world.cluster.processor(f"kontor-{victim.kind}", f"{victim.name}-twin", {})
        self.twin.arguments = [*(world.cluster.network.prefix if world.cluster.network else []), *self.twin.arguments]
        settings = {**victim.base, "instance.name": victim.name, "state.dir": self.twin.state, "metrics.listen": f"{victim.inside}:{free_port()}", "log.format": "json"}
        self.twin.config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self.twin.start()
        if victim.frozen():
            time.sleep(chance.uniform(0.5, 5))      # how far the twin comes until then is the test's input
            victim.resume()
        return f"twin of {victim.name}{where}"

    def heal(self, world):
        def one_has_ended():
            return not self.twin.alive() or any(ended.instance == self.victim.name and ended.code == 4 for ended in world.exits[self.before:])
        try:
            wait_until(one_has_ended, 45, f"one of the two of {self.victim.name} ends")
            if not self.twin.alive():
                words = [line for line in self.twin.log().splitlines() if '"ended"' in line]
                assert self.twin.process.returncode == 4 and words and "instance.name" in words[-1], f"the twin ended with {self.twin.process.returncode}: {words[-1:] or self.twin.log_tail()}"
            self.done += 1
        finally:
            if self.twin.alive():
                self.twin.stop()
            world.cluster.processors.remove(self.twin)
            wait_until(lambda: self.victim.alive() and self.victim.ready(), 45, f"{self.victim.name} has its place again")
            self.victim.forbid(self.name)


class Storm(Fault):
    """Further instances come and go, each with a rebalance of its group: they leave, are stopped for their session, or are killed."""

    row, name, goal, hold = "rebalance storm", "storm", 100, (0, 0)

    def strike(self, world, chance):
        kind = one(chance, world).kind
        comings = chance.randrange(2, 5)
        self.guests = []
        for _ in range(comings):
            guest = world.add(kind, 10 + len(self.guests), leave_on_stop=chance.choice(("true", "false")))
            self.guests.append(guest)
            with guest.lock:
                guest.wanted = True
                guest.start()
            time.sleep(chance.uniform(0.1, 2.0))    # how long it stays is the test's input
            if chance.random() < 0.6:
                self.go(world, guest, chance)
        self.chance = chance
        return f"{comings} more of {kind} come and go"

    def go(self, world, guest, chance):
        world.hold_down(guest, "it goes", chance.choice(("kill", "stop")))

    def heal(self, world):
        for guest in self.guests:
            if guest.wanted:
                self.go(world, guest, self.chance)
            world.remove(guest)
            self.done += 1


ALL = (Kill, Point, Zombie, Twin, Storm)
