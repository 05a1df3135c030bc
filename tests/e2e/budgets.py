"""Budgets on a real broker: orders of two suppliers take of two cost centres while kontor-procurement and kontor-budget are killed at random. What is counted is what was accepted,
what is held goes on when the budget is raised, and is found by the commands. SEED=... repeats the amounts and the kills."""

import json
import random
import shutil
import sys
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from small import FROM, event, line, master, write_master  # noqa: E402
from world import REPOSITORY, consume, prepare  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import Cluster, finish, seed, test, wait_until  # noqa: E402
from asking import MDM, acknowledged, reasons, send  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "budgets"
ROUNDS, ORDERS_A_ROUND = 4, 30
AMOUNTS = {"CC1": Decimal(9000), "CC2": Decimal(1000000)}      # the first is too small for half of the orders


def record(**fields):
    return {"valid_from": FROM, "status": "active", "source": "MDM", **fields}


def budget(centre, amount):
    return record(entity="ACME", cost_centre=centre, amount=str(amount), last_day="2026-12-31", valid_from="2026-01-01")


def company():
    tables = master(budgets=[budget(centre, amount) for centre, amount in AMOUNTS.items()])
    tables["legal-entities"][0]["budget_control"] = "cost_centre"
    tables["source-permissions"].append(record(source_system="kontor-procurement", topic="budget.movements", entities=["ACME"]))
    return tables


def order(number, chance):
    return event("order_created", f"PO{number}", supplier=chance.choice(("S1", "S2")), order=f"PO{number}", user="ann",
                 lines=[{"line": "1", "quantity": "10", "net": f"{chance.randint(1, 60000) / 100:.2f}", "category": "goods", "cost_centre": chance.choice(("CC1", "CC2"))}])


def net(value):
    return Decimal(value["lines"][0]["net"])


def movements(cluster):
    """The newest outcome of what each order takes."""
    return {found["document"].split("/")[0]: found for found in acknowledged(cluster).values() if found["processor"] == "budget"}


def budgets(cluster):
    return {found["value"]["cost_centre"]: {name: Decimal(found["value"][name]) for name in ("amount", "reserved", "spent", "available")} for found in consume(cluster, "budgets")}


def feed_and_kill(cluster, processors, chance):
    fed = []
    for turn in range(ROUNDS):
        values = [order(turn * ORDERS_A_ROUND + i, chance) for i in range(ORDERS_A_ROUND)]
        send(cluster, "procurement.events", *(line(value, turn * ORDERS_A_ROUND + i) for i, value in enumerate(values)))
        fed += values
        victim = chance.choice(processors)
        victim.kill()
        if chance.random() < 0.5:
            shutil.rmtree(victim.state)
        victim.start()
    for processor in processors:
        processor.wait_ready()
    await_caught_up(processors)
    wait_until(lambda: len(movements(cluster)) == len(fed), 60, "each order's movement decided", interval_s=0.3)
    return fed


def check_counted(cluster, fed):
    told, used = movements(cluster), budgets(cluster)
    assert set(told) == {value["document"] for value in fed}
    for centre, amount in AMOUNTS.items():
        of_centre = [value for value in fed if value["lines"][0]["cost_centre"] == centre]
        taken = sum((net(value) for value in of_centre if told[value["document"]]["outcome"] == "accepted"), Decimal(0))
        assert used[centre] == {"amount": amount, "reserved": taken, "spent": 0, "available": amount - taken}, (centre, used[centre], taken)
        held = [value for value in of_centre if told[value["document"]]["outcome"] == "held"]
        assert all(reasons(told[value["document"]]) == ["BUDGET_EXCEEDED"] and taken + net(value) > amount for value in held), centre
        assert len(held) + sum(told[value["document"]]["outcome"] == "accepted" for value in of_centre) == len(of_centre)
        assert bool(held) == (centre == "CC1"), centre


def main():
    chance = random.Random(seed())
    with Cluster(FOLDER) as cluster:
        write_master(FOLDER / "small" / "master", company())
        prepare(cluster, FOLDER / "small", partitions=4)
        processors = [cluster.processor(f"kontor-{name}", properties=MDM) for name in ("procurement", "budget")]
        for processor in processors:
            processor.start().wait_ready()
        fed = feed_and_kill(cluster, processors, chance)
        with test(f"{len(fed)} orders, processors killed: each is counted once or held, and no budget is overdrawn"):
            check_counted(cluster, fed)
        with test("what is held is listed, and kontor trace of its order shows it"):
            listed = json.loads(cluster.kontor("exceptions", "list", "--processor", "budget", "--format", "json").stdout)
            held = [found for found in movements(cluster).values() if found["outcome"] == "held"]
            assert sorted(row["document"] for row in listed) == sorted(found["document"] for found in held)
            traced = json.loads(cluster.kontor("trace", held[0]["document"].split("/")[0], "--format", "json").stdout)["events"]
            assert {"procurement.events", "budget.movements"} <= {found["topic"] for found in traced}, [found["topic"] for found in traced]
        send(cluster, "master.budgets", json.dumps(budget("CC1", 1000000)) + "\n")
        wait_until(lambda: all(found["outcome"] == "accepted" for found in movements(cluster).values()), 60, "all accepted", interval_s=0.3)
        with test("raised: all of it is counted"):
            assert {centre: used["reserved"] for centre, used in budgets(cluster).items()} == {
                centre: sum(net(value) for value in fed if value["lines"][0]["cost_centre"] == centre) for centre in AMOUNTS}
            assert json.loads(cluster.kontor("exceptions", "list", "--processor", "budget", "--format", "json").stdout) == []


main()
sys.exit(finish())
