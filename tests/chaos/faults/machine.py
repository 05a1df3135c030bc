"""The machine: its clock goes wrong, its memory runs out."""

import os
import subprocess
import time
from pathlib import Path

from faults.base import Fault, one

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
CGROUP = Path("/sys/fs/cgroup/memory")


class Clock(Fault):
    """The clock of one instance jumps while it runs (not the monotonic one, which no clock's error moves), and back; or it starts in a zone in the hour of its change."""

    row, name, goal, hold = "clock ± 1 h, ± 1 day, DST", "clock", 20, (5, 8)

    def unable(self, world):
        return None if LIBRARY else "libfaketime is not installed"

    def strike(self, world, chance):
        self.victim = one(chance, world)
        kind = chance.choice(("+1h", "-1h", "+1d", "-1d", "DST"))
        self.file = world.folder / f"clock-{self.victim.name}"
        self.file.write_text("+0")
        environment = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1", "FAKETIME_TIMESTAMP_FILE": str(self.file)}
        if kind == "DST":   # two seconds before Amsterdam's clocks go back, a month ago
            self.file.write_text("@2026-10-25 02:59:58")
            environment["TZ"] = "Europe/Amsterdam"
        world.hold_down(self.victim, self.name)
        self.victim.environment = environment
        world.let_up(self.victim)
        if kind != "DST":
            time.sleep(1)
            self.file.write_text(kind)
        return f"clock of {self.victim.name}: {kind}"

    def heal(self, world):
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
            self.victim.allow(self.name, (1, ""), (3, ""), (-6, ""), (-11, ""))
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
