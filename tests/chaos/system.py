"""The world that faults strike: brokers, registry, the processors with a supervisor that starts again what ends, the load."""

import json
import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from brokers import Brokers  # noqa: E402
from cluster import REPOSITORY, Processor, http_get, wait_until  # noqa: E402,F401

PARTITIONS = 8
# Time-outs as short as they may be, so that faults can come every few seconds; no ticks of today's time, which is not that of a load of years ago.
QUICK = {"session.timeout.ms": "3000", "transaction.timeout.ms": "6000", "transaction.call.timeout.ms": "4000", "timers.interval": "1d",
         "kafka.producer.socket.timeout.ms": "3000", "kafka.consumer.socket.timeout.ms": "5000"}
PROGRESS_S, PROGRESS_LATEST_S = 60, 300      # what is promised; what a machine may take that others keep busy
BUSY = 4 * (os.cpu_count() or 1)            # load average from which on being late is the machine's, and only noted


STARVED = "background thread(s) to initialize"      # librdkafka gives its own threads five seconds to begin: an exit code 1 on a machine that is too busy, and a restart

# A request to join that the client gave up and made again: the group takes the second for another process of that name, and ends the first. With a network or brokers that are bad,
# or a machine too busy, a processor so meets itself, says exit code 4, and is started again.
OWN_GHOST = "same group.instance.id"


class Instance(Processor):
    """A processor that a supervisor keeps running. overrides: properties for every start from now on; once: for the next one. environment, prefix and wrap change
    what is started."""

    def __init__(self, world, processor, name, properties):
        self.world, self.kind, self.overrides, self.once, self.wrap = world, processor, {}, {}, []
        self.wanted, self.killed_by, self.allowed, self.lock = False, None, [], threading.RLock()
        self.base = {"kafka.bootstrap.servers": world.cluster.proxied, "registry.url": world.cluster.proxied_registry_url, **world.settings, **world.load.properties, **properties}
        super().__init__(world.cluster, f"kontor-{processor}", name, self.base, world.cluster.binaries)
        self.inside = world.cluster.network.inside if world.cluster.network else "127.0.0.1"
        self.plain = list(self.arguments)

    def start(self):
        settings = {"instance.name": self.name, "state.dir": self.state, "metrics.listen": f"{self.inside}:{self.metrics_port}", "log.format": "json",
                    **self.base, **self.overrides, **self.once}
        self.once = {}
        self.config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self.arguments = [*(self.world.cluster.network.prefix if self.world.cluster.network else []), *self.wrap, *self.plain]
        self.killed_by, self.started = None, time.monotonic()
        return super().start()

    def http(self, path):
        return http_get(f"http://{self.inside}:{self.metrics_port}{path}", timeout_s=2)

    def allow(self, why, *rules):
        """What it may end with until forbid(why): (exit code, a word of what it says or "")."""
        self.allowed += [[code, phrase, why, float("inf")] for code, phrase in rules]

    def forbid(self, why):
        """... and a little longer: a death is seen after it."""
        for rule in self.allowed:
            if rule[2] == why:
                rule[3] = min(rule[3], time.monotonic() + 3)

    def frozen(self):
        try:
            return Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1][0] in "Tt"
        except OSError:
            return False

    def last_words(self):
        """What it said when it ended: (exit code, text), or None."""
        for line in reversed(self.log().splitlines()):
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if said.get("event") == "ended":
                return said.get("exit_code"), said.get("message", "")
        return None


class Exit:
    """How an instance ended, and what was known of it."""

    def __init__(self, instance, code, words, killed_by, allowed, tail, rough=False, young=False):
        self.young = young
        self.busy = os.getloadavg()[0] > BUSY
        self.rough = rough or self.busy
        self.instance, self.code, self.words, self.killed_by, self.allowed, self.tail = instance, code, words, killed_by, list(allowed), tail

    def wrong(self):
        """Why this is not what the docs say; None: it is."""
        if self.killed_by and (self.code in (-9, 0) or (self.code == -15 and self.young)):     # stopped before it could listen to that
            return None
        for code, phrase, *_ in self.allowed:
            if self.code == code and (not phrase or phrase in (self.words[1] if self.words else self.tail)):
                if code > 0 and (not self.words or self.words[0] != code):
                    return f"ended with {code} and said {self.words}"
                return None
        if self.code == 1 and self.words and STARVED in self.words[1] and self.busy:
            return None
        if self.code == 4 and self.words and OWN_GHOST in self.words[1] and self.rough:
            return None
        return f"ended with {self.code}, which nothing explains: {self.words or self.tail[-300:]}"


class World:
    def __init__(self, folder, load, binaries, chance, brokers=1, settings=QUICK, doubled=(), note=print):
        self.folder, self.load, self.settings, self.note, self.chance = Path(folder), load, settings, note, chance
        self.cluster = Brokers(self.folder, binaries, chance, brokers)
        self.doubled, self.exits, self.instances, self.ending = doubled, [], [], threading.Event()
        self.feeding = None         # the load on its way (loads)
        self.rough_until = 0        # a fault of network or brokers has been so lately
        self.recoveries, self.late, self.supervisor, self.repeated = [], [], None, {}
        self.poison, self.raised, self.compacted = {}, set(), set()     # topic: keys sent beside the load; topics with another limit, another compaction

    # ---- life

    def __enter__(self):
        try:
            self.cluster.start()
            for arguments in (("topics", "apply", "--partitions", PARTITIONS), ("schemas", "register"), ("master", "load", self.load.folder / "master")):
                self.prepare(*arguments)
            for processor in self.load.processors:
                for number in range(2 if processor in self.doubled else 1):
                    self.add(processor, number)
            self.supervisor = threading.Thread(target=self.supervise, daemon=True)
            self.supervisor.start()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.ending.set()
        if self.supervisor:
            self.supervisor.join()
        for path in sorted(self.folder.glob("mount-*")):
            os.system(f"umount -l {path} 2>/dev/null")
        self.cluster.stop()

    def prepare(self, *arguments):
        """On a machine that many share the broker may be too slow for the first try: each of these can be run again."""
        for attempt in range(5):
            result = self.cluster.kontor(*arguments, check=False, deadline_s=180)
            if result.returncode == 0:
                return
            self.note(f"kontor {arguments[0]} {arguments[1]}, try {attempt + 1}: {result.stderr.strip()}")
        raise RuntimeError(f"kontor {arguments[0]} {arguments[1]}: {result.stderr}")

    def add(self, processor, number, **properties):
        instance = Instance(self, processor, f"{processor}-{number}", {key.replace("_", "."): value for key, value in properties.items()})
        self.cluster.processors.append(instance)
        self.instances.append(instance)
        return instance

    def start_all(self):
        for instance in self.instances:
            with instance.lock:
                instance.wanted = True
                instance.start()

    def remove(self, instance):
        with instance.lock:
            instance.wanted = False
        self.instances.remove(instance)
        self.cluster.processors.remove(instance)

    # ---- the supervisor

    def supervise(self):
        """Starts again what has ended, as systemd or Kubernetes would, and keeps how it ended."""
        while not self.ending.wait(0.03):
            for instance in list(self.instances):
                with instance.lock:
                    if instance.wanted and instance.process is not None and not instance.alive():
                        self.take_exit(instance)
                        if time.monotonic() - instance.started > 1 or instance.killed_by:
                            instance.start()
                        else:           # it ends at once: not in a whirl
                            threading.Timer(0.5, self.start_again, (instance,)).start()
                            instance.process = None

    def start_again(self, instance):
        with instance.lock:
            if instance.wanted and not instance.alive() and not self.ending.is_set():
                instance.start()

    def take_exit(self, instance):
        ended = Exit(instance.name, instance.process.returncode, instance.last_words(), instance.killed_by,
                     [rule for rule in instance.allowed if rule[3] > time.monotonic()], instance.log()[-2000:], time.monotonic() < self.rough_until,
                     time.monotonic() - instance.started < 3)
        self.exits.append(ended)
        if ended.wrong():
            self.note(f"    {instance.name} {ended.wrong()}")

    # ---- what faults do to instances

    def kill(self, instance, why):
        """kill -9; the supervisor starts it again."""
        with instance.lock:
            if instance.alive():
                instance.killed_by = why
                instance.process.kill()
                instance.process.wait()

    def hold_down(self, instance, why, how="kill"):
        """Ends it and keeps it from being started, until let_up."""
        with instance.lock:
            instance.wanted = False
            if instance.alive():
                instance.killed_by = why
                instance.kill() if how == "kill" else instance.stop()
                self.take_exit(instance)

    def let_up(self, instance):
        with instance.lock:
            instance.wanted = True
            if not instance.alive():
                instance.start()

    def restart(self, instance, why, how="kill"):
        with instance.lock:
            self.hold_down(instance, why, how)
            self.let_up(instance)

    def alive_instances(self):
        return [instance for instance in self.instances if instance.wanted]

    def every(self, seconds, owner, action):
        """Calls action again and again, until no_more(owner)."""
        ended = self.repeated[owner] = threading.Event()

        def repeat():
            while not ended.wait(seconds):
                action()
        threading.Thread(target=repeat, daemon=True).start()

    def no_more(self, owner):
        if owner in self.repeated:
            self.repeated.pop(owner).set()

    # ---- progress

    def taken(self):
        """Records taken by each processor's living instances; None where one does not answer."""
        result = {}
        for instance in self.alive_instances():
            value = instance.metric("kontor_records_total") if instance.alive() else None
            lag = instance.metric("kontor_lag_records") if value is not None else None
            ready = value is not None and instance.ready()
            result[instance.name] = (value, lag, ready)
        return result

    def await_progress(self, what, deadline_s=PROGRESS_LATEST_S):
        """Every instance ready, and either behind with nothing or taking records; the seconds that took. TimeoutError: no progress."""
        begun, before = time.monotonic(), {}

        def going_on():
            now = self.taken()
            moving = {name: ready and (lag == 0 or (name in before and before[name] is not None and value != before[name])) for name, (value, lag, ready) in now.items()}
            for name, (value, _, _) in now.items():
                before.setdefault(name, value)
                if value is None:
                    before.pop(name)
            return bool(moving) and all(moving.values())
        try:
            wait_until(going_on, deadline_s, f"every processor goes on after {what}", interval_s=0.1)
        except TimeoutError:
            now = self.taken()
            stuck = [f"{name} (taken {value}, behind {lag}, {'ready' if ready else self.why_unready(name)})" for name, (value, lag, ready) in now.items()
                     if not ready or (lag != 0 and value == before.get(name))]
            raise TimeoutError(f"no progress {deadline_s} s after {what}: {'; '.join(stuck)}; load average {os.getloadavg()[0]:.1f}") from None
        took = time.monotonic() - begun
        self.recoveries.append((what, round(took, 2)))
        if took > PROGRESS_S:
            self.late.append((what, round(took), round(os.getloadavg()[0])))
        return took

    def why_unready(self, name):
        instance = next(instance for instance in self.instances if instance.name == name)
        return instance.http("/readyz")[1].strip().replace("\n", ", ")[:200] or "no answer"

    def await_quiet(self, deadline_s=240):
        """Everything taken, seen by all several times in a row."""
        quiet = 0

        def all_quiet():
            nonlocal quiet
            now = self.taken()
            quiet = quiet + 1 if now and all(ready and lag == 0 for _, lag, ready in now.values()) else 0
            return quiet >= 5
        try:
            wait_until(all_quiet, deadline_s, "everything taken", interval_s=0.2)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.taken()}, {[self.why_unready(instance.name) for instance in self.alive_instances() if not instance.ready()]}") from None

    def stop_all(self):
        """SIGTERM to all; (instance, seconds, exit code) of each."""
        result = []
        for instance in self.instances:
            with instance.lock:
                instance.wanted = False
                if instance.alive():
                    instance.killed_by = "the end"
                    took = instance.stop()
                    self.take_exit(instance)
                    result.append((instance.name, took, instance.process.returncode))
        return result


