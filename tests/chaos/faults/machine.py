"""The machine: its clock goes wrong, its memory runs out."""

import os
import struct
import subprocess
import time
from pathlib import Path

from faults.base import Fault, one

CGROUP = Path("/sys/fs/cgroup/memory")


SHIFTS = {"+1h": 3600, "-1h": -3600, "+1d": 86400, "-1d": -86400}


class Clock(Fault):
    """The wall clock of one instance jumps while it runs, and back (the monotonic one does not, as with a real one: shifted_clock.c); or it runs through the hour in which
    the zone's clocks go back."""

    row, name, goal, hold = "clock ± 1 h, ± 1 day, DST", "clock", 20, (5, 8)

    def strike(self, world, chance):
        self.victim = one(chance, world)
        kind = chance.choice((*SHIFTS, "DST"))
        self.file = world.folder / f"clock-{self.victim.name}"
        # Two seconds before Amsterdam's clocks went back in October 2026.
        self.set(0 if kind != "DST" else 1792890000 - 2 - int(time.time()))
        environment = {"LD_PRELOAD": str(world.cluster.binaries.parent / "tests" / "libchaos_shifted_clock.so"), "SHIFTED_CLOCK": str(self.file),
                       **({"TZ": "Europe/Amsterdam"} if kind == "DST" else {})}
        world.hold_down(self.victim, self.name)
        self.victim.environment = environment
        world.let_up(self.victim)
        if kind != "DST":
            time.sleep(1)
            self.set(SHIFTS[kind])
        return f"clock of {self.victim.name}: {kind}"

    def set(self, seconds):
        with open(self.file, "r+b" if self.file.exists() else "w+b") as file:
            file.write(struct.pack("q", seconds))

    def heal(self, world):
        self.set(0)     # back while it runs; then as it was
        time.sleep(1)
        self.victim.environment = {}
        world.restart(self.victim, self.name)
        self.done += 1


class Memory(Fault):
    """A limit that it cannot live in: the kernel kills it, or allocations fail. (That each single allocation fails in its turn is done by tests/suites/driver.)"""

    row, name, goal, hold = "out of memory: every n-th allocation (driver suite); a limit in the run", "memory", 20, (3, 6)

    def strike(self, world, chance):
        self.victim, kind = one(chance, world), chance.choice(("cgroup", "address space"))
        self.group = CGROUP / f"kchaos-{os.getpid()}-{self.victim.name}"
        if kind == "cgroup" and not self.make_group():
            kind = "address space"
        world.hold_down(self.victim, self.name)
        if kind == "cgroup":
            size = chance.choice((6, 10, 16)) << 20
            (self.group / "memory.limit_in_bytes").write_text(str(size))
            self.victim.wrap = ["sh", "-c", f'echo $$ >{self.group}/cgroup.procs; exec "$@"', "limited"]
            self.victim.allow(self.name, (-9, ""), (3, "memory"), (1, "memory"))
        else:
            size = chance.choice((120, 200, 300)) << 20
            self.victim.wrap = ["prlimit", f"--as={size}"]
            # librdkafka ends the process (SIGABRT) where it cannot have memory or a thread.
            self.victim.allow(self.name, (1, ""), (3, ""), (-6, ""))
        world.let_up(self.victim)
        return f"{self.victim.name} has {size >> 20} MiB ({kind})"

    def make_group(self):
        try:
            self.group.mkdir(exist_ok=True)
            return (self.group / "memory.limit_in_bytes").exists()
        except OSError:
            return False

    def heal(self, world):
        self.victim.wrap = []
        world.restart(self.victim, self.name)
        self.victim.forbid(self.name)
        if self.group.is_dir():
            subprocess.run(["rmdir", self.group], capture_output=True)
        self.done += 1


ALL = (Clock, Memory)
