#!/usr/bin/env python3
"""Faults at random on a real system under load, then quiet, then the checkers.

    campaign.py run [--seed S] [--minutes N] [--faults NAME,...] [--brokers 1|3] [--kafka VERSION] [--load office|people|sums] [--campaigns N] [--resume] [--defaults] [--self-test]
    campaign.py late [--rounds N]       requests that come late, the cases of tests/e2e/loop/late_requests.py
    campaign.py report [--write]        sums all reports up: the tables of docs/under-fire.md; --write puts them there, and a line of each seed into tests/chaos/reports.jsonl
    campaign.py check-docs              whether they are there

A campaign is a seed: it draws the load, the faults, their victims and moments. Campaigns of one run have the seeds S, S+1, ...; each leaves build/chaos/reports/SEED.json,
and --resume passes over those that are there. --defaults: with the time-outs that kontor has by itself."""

import argparse
import hashlib
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import checks  # noqa: E402
import checks_test  # noqa: E402
import report  # noqa: E402
from cluster import REPOSITORY, LostMarkers, LostRecords, finish, test  # noqa: E402
from faults import BY_NAME, FAULTS, processes  # noqa: E402
from loads import NAMES, load_of  # noqa: E402
from network import chance_of, sweep_namespaces  # noqa: E402
from system import BUSY, QUICK, World  # noqa: E402
from world import consume  # noqa: E402

FOLDER = REPOSITORY / "build" / "chaos"
BINARIES = REPOSITORY / "build" / "fault" / "bin"
UNTIL_QUIET_S = 240
BESIDE = (processes.Kill, processes.Storm)      # what may strike while another fault holds: they wait for nothing
LASTING = ("brokers", "network", "registry", "input")


def binaries_mark():
    digest = hashlib.sha256()
    for path in sorted(BINARIES.glob("kontor*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def sweep():
    """What campaigns that were killed have left; their worlds too, which nobody looks into."""
    sweep_namespaces()
    for world in FOLDER.glob("world-*"):
        if not Path(f"/proc/{world.name.split('-')[1]}").exists():
            shutil.rmtree(world, ignore_errors=True)


def undisturbed(load):
    """What the load comes to when nothing happens; kept for the load and the programs."""
    kept = FOLDER / "undisturbed" / f"{load.name}-{binaries_mark()}.pickle"
    if not kept.exists():
        with World(FOLDER / f"world-{os.getpid()}", load, BINARIES, random.Random(0)) as world:
            world.start_all()
            feeding = load.start_feeding(world, 10)
            feeding.end(180)
            world.await_quiet()
            stops = world.stop_all()
            found = checks.gather(world.cluster, load, world.instances)
        wrong = checks.check_c(found, load) + checks.one_outcome(found) + checks.check_e(world.exits, stops)
        if wrong:
            raise RuntimeError(f"the undisturbed run is wrong already: {wrong}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.with_suffix(".new").write_bytes(pickle.dumps(found))
        kept.with_suffix(".new").rename(kept)
    return pickle.loads(kept.read_bytes())


class Campaign:
    def __init__(self, seed, options):
        self.seed, self.options, self.chance = seed, options, chance_of(seed, "faults")
        self.begun, self.lines, self.trouble, self.findings, self.void = time.time(), [], [], {}, None
        names = options.faults.split(",") if options.faults else list(BY_NAME)
        self.faults = [fault() for fault in FAULTS if fault.name in names and options.brokers in fault.brokers]
        self.seconds = round(options.minutes * 60)
        self.load = load_of(options.load, seed, self.seconds, self.chance, "poison" in names)

    def say(self, text):
        line = f"{time.time() - self.begun:6.1f} s  {text}"
        self.lines.append(line)
        print(f"    {line}", flush=True)

    def run(self):
        wanted = undisturbed(self.load)
        doubled = self.chance.sample(self.load.processors, 2)
        settings = {"timers.interval": QUICK["timers.interval"]} if self.options.defaults else QUICK
        found, stops = None, []
        with World(FOLDER / f"world-{os.getpid()}", self.load, BINARIES, self.chance, self.options.brokers, settings, doubled, self.say) as world:
            self.world = world
            try:
                world.start_all()
                for instance in world.instances:
                    instance.wait_ready()
                self.under_fire(world)
                stops = world.stop_all()
                found = checks.gather(world.cluster, self.load, world.instances)
                world.cluster.check_markers()
                self.check_input(world)
            except LostMarkers as error:
                self.void = str(error)
                self.keep(world)
            except Exception as error:
                self.give_up(world, error)
            if found and not self.void:
                self.judge(found, wanted, stops)
                if self.options.self_test:
                    checks_test.check_the_checkers(found, wanted, self.load, world.poison)
                    checks_test.hanging_transaction(world.cluster, BINARIES)
        self.write()
        return self

    def check_input(self, world):
        """What was fed was confirmed, once; where the brokers have lost some of it, or taken it twice since they have forgotten what an idempotent producer had sent, the input is
        another one than the undisturbed run's."""
        unclean = world.cluster.unclean_elections()
        for topic, fed in self.load.fed().items():
            there = Counter(record["value"].get("event_id") for record in consume(world.cluster, topic) if isinstance(record.get("value"), dict))
            if lost := fed - there:
                raise LostRecords(f"{topic}: the brokers have lost {lost.total()} events that they had confirmed ({', '.join(sorted(lost)[:4])}), after {unclean} UNCLEAN elections of leaders")
            if twice := Counter({identifier: there[identifier] for identifier in fed}) - fed:
                raise LostRecords(f"{topic}: the brokers have taken {twice.total()} events of an idempotent producer twice ({', '.join(sorted(twice)[:4])}), after {unclean} UNCLEAN elections of leaders")

    def give_up(self, world, error):
        try:
            world.cluster.check_markers()
        except LostMarkers as lost:
            self.void = str(lost)
            return
        self.trouble.append(f"{type(error).__name__}: {error}")
        self.findings["D"] = list(self.trouble)
        self.say("".join(traceback.format_exception(error))[-3000:])
        self.keep(world)

    def keep(self, world):
        kept = FOLDER / f"kept-{self.seed}"
        shutil.rmtree(kept, ignore_errors=True)
        subprocess.run(["cp", "-r", world.folder, kept], check=True)
        self.say(f"the world is kept in {kept.relative_to(REPOSITORY)}")
        return kept

    # ---- striking

    def draw(self):
        able = [fault for fault in self.faults if not fault.why]
        return self.chance.choices(able, [fault.goal ** 0.5 for fault in able])[0]

    def under_fire(self, world):
        for fault in self.faults:
            fault.why = fault.unable(world)
        feeding = world.feeding = self.load.start_feeding(world, self.seconds)
        try:
            feeding.await_begun()
            end = time.monotonic() + self.seconds
            while time.monotonic() < end:
                self.one_round(world, end)
            feeding.end(180)
        finally:
            feeding.kill()
        self.say("quiet")
        begun = time.monotonic()
        world.await_quiet(UNTIL_QUIET_S)
        self.say(f"all taken {time.monotonic() - begun:.1f} s later")

    def one_round(self, world, end):
        fault = self.draw()
        struck = []
        try:
            self.strike(fault, world, struck)
            until = time.monotonic() + min(self.chance.uniform(*fault.hold), max(0.0, end - time.monotonic() + 15))
            if fault.__module__.split(".")[-1] in LASTING and self.chance.random() < 0.4:
                beside = next((other for other in self.faults if type(other) is self.chance.choice(BESIDE)), None)
                if beside:
                    self.strike(beside, world, struck)
            time.sleep(max(0.0, until - time.monotonic()))      # how long a fault holds is the test's input
        finally:
            for fault_struck in reversed(struck):
                fault_struck.heal(world)
        took = world.await_progress(" + ".join(fault_struck.name for fault_struck in struck))
        self.say(f"on again after {took:.1f} s")

    def strike(self, fault, world, struck):
        struck.append(fault)
        if fault.__module__.split(".")[-1] in ("brokers", "network"):
            world.rough_until = time.monotonic() + 120
        self.say(fault.strike(world, self.chance))

    # ---- judging

    def judge(self, found, wanted, stops):
        self.findings = {"A": checks.check_a(found, wanted, self.world.poison), "B": checks.check_b(found, wanted, self.world.poison), "C": checks.check_c(found, self.load),
                         "D": checks.check_d(found, self.trouble + [f"no progress {took} s after {what}" for what, took, load in self.world.late if load < BUSY]), "E": checks.check_e(self.world.exits, stops)}
        if any(self.findings.values()):
            (self.keep(self.world) / "found.pickle").write_bytes(pickle.dumps((found, wanted, self.world.poison)))

    def right(self):
        return not self.void and not any(self.findings.values())

    def write(self):
        points = next((fault.by_point for fault in self.faults if fault.name == "point"), {})
        kinds = next((fault.by_kind for fault in self.faults if fault.name == "state"), {})
        content = {
            "seed": self.seed, "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime(self.begun)), "minutes": self.options.minutes, "brokers": self.options.brokers,
            "time_outs": "defaults" if self.options.defaults else "short", "kafka": self.options.kafka, "load": self.load.name, "events": self.load.events,
            "faults": {fault.name: fault.done for fault in self.faults if fault.done}, "points": {name: times for name, times in points.items() if times},
            "state": {name: times for name, times in kinds.items() if times}, "hot": int(self.load.hot),
            "unable": {fault.name: fault.why for fault in self.faults if getattr(fault, "why", None)}, "recoveries": self.world.recoveries,
            "exits": [[ended.instance, ended.code, ended.killed_by or (ended.words[1][:200] if ended.words else "")] for ended in self.world.exits],
            "late": self.world.late, "void": self.void, "findings": {letter: checks.in_short(texts) for letter, texts in self.findings.items() if texts}, "load_average": round(os.getloadavg()[0], 1),
            "lines": self.lines}
        path = FOLDER / "reports" / f"{self.seed}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1))


LETTERS = {"A": "outputs are the undisturbed run's, one outcome an event, in order, to two readers", "B": "live state, changelog and input agree",
           "C": "journals balance, and are the generator's", "D": "nothing hangs, work went on after every healing", "E": "what ended did so as documented"}


def run(options):
    if not (BINARIES / "kontor-invoice").exists():
        sys.exit("build first: deploy/local/build build/fault -DKONTOR_FAULT_POINTS=ON")
    sweep()
    if options.kafka:
        os.environ["KAFKA_JARS"] = subprocess.run([REPOSITORY / "deploy" / "local" / "install", "kafka", options.kafka], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    first = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 24)
    for seed in range(first, first + options.campaigns):
        if options.resume and (FOLDER / "reports" / f"{seed}.json").exists():
            print(f"  seed {seed} is done", flush=True)
            continue
        print(f"  seed {seed} (repeat with campaign.py run --seed {seed} --minutes {options.minutes} --brokers {options.brokers}" +
              (f" --load {options.load}" if options.load != "office" else "") + (f" --kafka {options.kafka}" if options.kafka else "") +
              (f" --faults {options.faults}" if options.faults else "") + ")", flush=True)
        campaign = None
        with test(f"chaos {seed}: brokers, registry and processors stand, the undisturbed run is right"):
            campaign = Campaign(seed, options).run()
        if not campaign:
            continue
        done = ", ".join(f"{name} {times}" for name, times in ((fault.name, fault.done) for fault in campaign.faults) if times)
        print(f"  seed {seed}: {done}; {len(campaign.world.exits)} exits", flush=True)
        if campaign.void:
            print(f"skip chaos {seed}: {campaign.void}: shows nothing of kontor", flush=True)
            continue
        for letter, what in LETTERS.items():
            with test(f"chaos {seed} {letter}: {what}"):
                assert letter in campaign.findings, f"not looked at: {campaign.trouble}"
                assert not campaign.findings[letter], "\n".join(checks.in_short(campaign.findings[letter]))
    return finish()


def late(options):
    """Counted in a report of its own."""
    for number in range(options.rounds):
        begun = time.time()
        result = subprocess.run([sys.executable, "tests/e2e/loop/late_requests.py", BINARIES.parent / "tests"], cwd=REPOSITORY, capture_output=True, text=True)
        lines = result.stdout.splitlines()
        ours, wrong = sum(line.startswith("ok ") and "ours has" in line for line in lines), [line for line in lines if line.startswith("not ok")]
        with test(f"late requests, round {number + 1}"):
            print(f"  {ours} cases as they must be", flush=True)
            assert result.returncode == 0 and ours and not wrong, "\n".join(wrong) or f"it could not be run: {result.stderr[-500:]}"
        if not ours:
            continue
        path = FOLDER / "reports" / f"late-{int(begun)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"seed": f"late-{int(begun)}", "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime(begun)), "faults": {"late": ours},
                                    "findings": {"A": wrong} if wrong else {}, "lines": lines[-200:]}, indent=1))
    return finish()


def check_docs(_options):
    with test("docs/under-fire.md says what tests/chaos/reports.jsonl adds up to"):
        assert report.is_fresh(), "make it anew: tests/chaos/campaign.py report --write"
    return finish()


def main():
    parser = argparse.ArgumentParser(prog="campaign.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    running = parts.add_parser("run")
    running.add_argument("--seed", type=int)
    running.add_argument("--minutes", type=float, default=2)
    running.add_argument("--faults", default="", help=f"of {', '.join(BY_NAME)}")
    running.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    running.add_argument("--kafka", metavar="VERSION", help="of the brokers, when not that of deploy/local/java/pom.xml")
    running.add_argument("--load", choices=NAMES, default="office", help="people: invoices with decisions, corrections and a replay; sums: windows of the settler and budgets (tests/chaos/loads)")
    running.add_argument("--campaigns", type=int, default=1)
    running.add_argument("--resume", action="store_true")
    running.add_argument("--defaults", action="store_true")
    running.add_argument("--self-test", action="store_true")
    running.set_defaults(run=run)
    lately = parts.add_parser("late")
    lately.add_argument("--rounds", type=int, default=1)
    lately.set_defaults(run=late)
    reporting = parts.add_parser("report")
    reporting.add_argument("--write", action="store_true")
    reporting.set_defaults(run=report.run)
    parts.add_parser("check-docs").set_defaults(run=check_docs)
    options = parser.parse_args()
    unknown = set(filter(None, getattr(options, "faults", "").split(","))) - set(BY_NAME)
    if unknown:
        parser.error(f"there is no fault {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    sys.exit(options.run(options))


if __name__ == "__main__":
    main()
