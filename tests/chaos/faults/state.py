"""Local state damaged: it is detected or rebuilt, never an answer."""

import os
import shutil
import subprocess
import time

from cluster import wait_until
from faults.base import Fault, one

KINDS = ("deleted", "truncated", "flipped", "flipped alive", "old copy", "slow", "full", "read-only", "before compaction")
DELETING = ("invoice", "settler")      # what they know of a document goes when it is posted: tombstones for compaction to take


def mount(world, victim):
    """The victim's state on a small file system of its own. False: that cannot be made here."""
    point = world.folder / f"mount-{victim.name}"
    if not point.is_dir():
        point.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", point], capture_output=True).returncode:
            point.rmdir()
            return None
    return point


class State(Fault):
    row, name, goal, hold = "state volume full, read-only, slow, page flipped, truncated, deleted, an old copy put back, one from before compaction took its tombstones", "state", 200, (0, 0)

    def __init__(self):
        super().__init__()
        self.by_kind, self.not_here = dict.fromkeys(KINDS, 0), set()

    def strike(self, world, chance):
        able = {kind: times for kind, times in self.by_kind.items() if kind not in self.not_here}
        self.kind = chance.choice([kind for kind, times in able.items() if times == min(able.values())])
        self.victim = one(chance, world, *(DELETING if self.kind == "before compaction" else ()))
        self.undo = None
        return getattr(self, self.kind.replace(" ", "_").replace("-", "_"))(world, self.victim, chance)

    def heal(self, world):
        if self.undo:
            self.undo()
        self.victim.forbid(self.name)
        if self.kind in self.not_here:
            return
        self.by_kind[self.kind] += 1
        self.done += 1

    def files(self, victim):
        return sorted((victim.state / "tasks").glob("*/data.mdb")) + sorted((victim.state / "tables").rglob("data.mdb"))

    def down(self, world, victim):
        world.hold_down(victim, self.name)

    def deleted(self, world, victim, chance):
        self.down(world, victim)
        what = chance.choice(("", "tasks", "tables"))
        shutil.rmtree(victim.state / what, ignore_errors=True)
        world.let_up(victim)
        return f"{victim.name}: {what or 'all of its folder'} deleted"

    def truncated(self, world, victim, chance):
        self.down(world, victim)
        words = []
        for path in chance.sample(files, min(len(files), 3)) if (files := self.files(victim)) else []:
            size = chance.randrange(path.stat().st_size + 1)
            os.truncate(path, size)
            words.append(f"{path.relative_to(victim.state)} to {size}")
        world.let_up(victim)
        return f"{victim.name}: truncated {', '.join(words)}"

    def flip(self, path, chance):
        """A page or some bytes of what is used of the file: the rest is zero."""
        with open(path, "r+b") as file:
            data = file.read()
            used = len(data.rstrip(b"\0")) or 1
            at = chance.randrange(used)
            length = chance.choice((1, 4, 64, 4096))
            file.seek(at)
            file.write(bytes(byte ^ chance.randrange(1, 256) for byte in data[at:at + length]))
        return f"{length} bytes at {at} of {path.parent.name}/{path.name}"

    def flipped(self, world, victim, chance):
        self.down(world, victim)
        files = self.files(victim)
        words = [self.flip(path, chance) for path in chance.sample(files, min(len(files), 3))]
        world.let_up(victim)
        return f"{victim.name}: flipped {'; '.join(words)}"

    def flipped_alive(self, world, victim, chance):
        """A value under the feet of the running process: its next look at it must not be believed. (A key or a branch that flips meanwhile is found by the next opening.)"""
        words = []
        for path in chance.sample(files := [path for path in self.files(victim) if path.parent.parent.name == "tasks"], min(len(files), 3)):
            values = [line.split()[2] for line in world.cluster.tool("dump", path.parent.parent, path.parent.name, check=False).splitlines() if not line.startswith("about")]
            value = bytes.fromhex(chance.choice(values)) if values else b""
            with open(path, "r+b") as file:
                at = file.read().find(value) if len(value) > 8 else -1
                if at >= 0:
                    file.seek(at + chance.randrange(len(value)))
                    byte = file.read(1)
                    file.seek(-1, os.SEEK_CUR)
                    file.write(bytes([byte[0] ^ 1 << chance.randrange(8)]))
                    words.append(path.parent.name)
        time.sleep(1)
        world.restart(victim, self.name)        # and what nobody has looked at is found by the opening
        return f"{victim.name}: a value flipped while it runs, in partitions {', '.join(words)}"

    def old_copy(self, world, victim, chance):
        """The copy of the last time is put back, and one taken for the next."""
        keep = world.folder / f"copy-{victim.name}"
        if not keep.exists():
            self.down(world, victim)
            shutil.copytree(victim.state, keep)
            world.let_up(victim)
            time.sleep(chance.uniform(2, 6))        # how old the copy is, is the test's input
        self.down(world, victim)
        another = world.folder / f"copy-{victim.name}-next"
        shutil.copytree(victim.state, another)
        for part in ("tasks", "tables"):
            shutil.rmtree(victim.state / part, ignore_errors=True)
            if (keep / part).exists():
                shutil.copytree(keep / part, victim.state / part)
        shutil.rmtree(keep)
        another.rename(keep)
        world.let_up(victim)
        return f"{victim.name}: an old copy put back"

    def slow(self, world, victim, chance):
        ms = chance.choice((20, 100, 300))
        shim = world.cluster.binaries.parent / "tests" / "libchaos_slow_disk.so"
        self.down(world, victim)
        shutil.rmtree(victim.state / "tasks", ignore_errors=True)       # so that files are made and grow
        victim.environment = {"LD_PRELOAD": str(shim), "SLOW_DISK_UNDER": str(victim.state), "SLOW_DISK_MS": str(ms)}
        world.let_up(victim)
        time.sleep(3)

        def undo():
            victim.environment = {}
            world.restart(victim, self.name)
        self.undo = undo
        return f"{victim.name}: each opening, growth and sync {ms} ms slower"

    def on_small_disk(self, world, victim):
        point = mount(world, victim)
        if not point:
            return None
        victim.overrides["state.dir"] = str(point / "state")
        return point

    def full(self, world, victim, chance):
        """It must say so, end, and go on where there is room again."""
        self.down(world, victim)
        point = self.on_small_disk(world, victim)
        if not point:
            self.not_here.update(("full", "read-only"))
            world.let_up(victim)
            return f"{victim.name}: no small file system can be mounted here"
        shutil.rmtree(point / "state", ignore_errors=True)
        ballast = point / "ballast"
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 64 * 1024 * 1024 - chance.choice((65536, 1 << 20, 4 << 20)))
        victim.allow(self.name, (1, "room"), (3, "room"), (1, "No space left"))
        before = len(world.exits)
        world.let_up(victim)

        def said():
            return [ended for ended in world.exits[before:] if ended.instance == victim.name and ended.words and ("room" in ended.words[1] or "No space left" in ended.words[1])]
        try:
            wait_until(said, 25, f"{victim.name} says that there is no room")
        finally:
            def undo():
                ballast.unlink()
                wait_until(lambda: victim.alive() and victim.ready(), 30, f"{victim.name} goes on where there is room again")
                self.leave_small_disk(world, victim)
            self.undo = undo
        return f"{victim.name}: its disk is full"

    def read_only(self, world, victim, chance):
        self.down(world, victim)
        point = self.on_small_disk(world, victim)
        if not point:
            self.not_here.update(("full", "read-only"))
            world.let_up(victim)
            return f"{victim.name}: no small file system can be mounted here"
        subprocess.run(["mount", "-o", "remount,ro", point], check=True, capture_output=True)
        victim.allow(self.name, (1, "Read-only"))
        before = len(world.exits)
        world.let_up(victim)
        try:
            wait_until(lambda: [ended for ended in world.exits[before:] if ended.instance == victim.name and ended.words], 20, f"{victim.name} says that it cannot write")
        finally:
            def undo():
                subprocess.run(["mount", "-o", "remount,rw", point], check=True, capture_output=True)
                wait_until(lambda: victim.alive() and victim.ready(), 30, f"{victim.name} goes on where it can write again")
                self.leave_small_disk(world, victim)
            self.undo = undo
        return f"{victim.name}: its disk is read-only"

    def leave_small_disk(self, world, victim):
        self.down(world, victim)
        victim.overrides.pop("state.dir", None)
        subprocess.run(["umount", world.folder / f"mount-{victim.name}"], check=True, capture_output=True)
        (world.folder / f"mount-{victim.name}").rmdir()
        world.let_up(victim)

    def before_compaction(self, world, victim, chance):
        """The changelog loses its tombstones after a moment; a copy from before that would bring back what was deleted."""
        settings = "delete.retention.ms=4000,min.compaction.lag.ms=0,segment.ms=1000,max.compaction.lag.ms=2000"
        topic = f"kontor.{victim.kind}.changelog"
        if topic not in world.compacted:
            world.cluster.kafka_tool("kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", settings)
            world.compacted.add(topic)
        keep = world.folder / f"copy-compacted-{victim.name}"
        self.down(world, victim)
        shutil.rmtree(keep, ignore_errors=True)
        shutil.copytree(victim.state, keep)
        world.let_up(victim)
        time.sleep(chance.uniform(7, 10))       # older than what the tombstones live
        self.down(world, victim)
        shutil.rmtree(victim.state / "tasks")
        shutil.copytree(keep / "tasks", victim.state / "tasks")
        world.let_up(victim)
        return f"{victim.name}: a copy from before compaction took the tombstones put back"


ALL = (State,)
