"""Prometheus rules and Grafana dashboards without either running: promtool's check and its tests of rules, alerts and runbooks, dashboards as they are generated."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "harness"), str(Path(__file__).resolve().parent)]
from cluster import REPOSITORY, Skip, finish, test  # noqa: E402
from dashboards import FOLDER, RULES, dashboards, panels, queries, rules  # noqa: E402
from prometheus import NotThere, program  # noqa: E402

PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
RUNBOOK = REPOSITORY / "docs" / "alerts.md"
NO_METRICS_OF_OURS = {"ALERTS", "up"}


def promtool(*arguments):
    try:
        result = subprocess.run([program("promtool"), *map(str, arguments)], capture_output=True, text=True)
    except NotThere as why:
        raise Skip(str(why)) from why
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def alerts():
    """{name: the lines of its rule}"""
    blocks = re.split(r"\n      - alert: ", (RULES / "alerts.yml").read_text())[1:]
    return {block.split("\n", 1)[0]: block for block in blocks}


def tested():
    """{alert: number of times that it is expected to fire}, times at which nothing is expected to."""
    text = (PROMETHEUS / "tests" / "alerts.yml").read_text()
    return re.findall(r'\{alertname="(\w+)"\}', text), text.count("exp_samples: []")


def documented_metrics():
    names = re.findall(r"^\| `(kontor_\w+)` \| (\w+)", (REPOSITORY / "docs" / "metrics.md").read_text(), re.M)
    return {name + suffix for name, kind in names for suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}


def unknown_metrics(pairs):
    known, recorded = documented_metrics(), {name for name, _ in rules() if ":" in name}
    found = []
    for where, expression in pairs:
        bare = re.sub(r'"[^"]*"', "", expression)
        found += [(where, name) for name in re.findall(r"(?:\b\w+:)?kontor_\w+(?::\w+)?", bare) if name not in known and name not in recorded]
        assert re.search(r"kontor_\w+", bare) or any(name in bare for name in NO_METRICS_OF_OURS), (where, expression)
    return found


def overlapping(dashboard):
    cells, twice = {}, []
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if cells.setdefault((x, y), panel["title"]) != panel["title"] or x >= 24:
                    twice.append((panel["title"], cells[x, y]))
    return twice


def main():
    for name in ("prometheus.yml", "local.yml"):
        with test(f"promtool takes {name} and the rules"):
            promtool("check", "config", PROMETHEUS / name)
    with test("promtool: every alert fires when it must and not before, and no other with it"):
        promtool("test", "rules", PROMETHEUS / "tests" / "alerts.yml")
    with test("every alert is tested there, has a severity, a summary, a description and its own runbook"):
        expected, quiet = tested()
        assert set(alerts()) == set(expected) and quiet >= len(alerts()), (set(alerts()) ^ set(expected), quiet)
        headings = re.findall(r"^### (\w+)$", RUNBOOK.read_text(), re.M)
        assert sorted(headings) == sorted(alerts()), set(headings) ^ set(alerts())
        for name, block in alerts().items():
            assert re.search(r"severity: (page|ticket)\}", block) and 'summary: "' in block and 'description: "' in block, name
            assert f"runbook: docs/alerts.md#{name.lower()}\n" in block + "\n", name
            severity = re.search(r"severity: (\w+)", block)[1]
            assert RUNBOOK.read_text().split(f"### {name}\n")[1].startswith(severity), f"{name}: the runbook does not begin with its severity"
    with test("dashboards: what is checked in is what deploy/grafana/generate writes"):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([REPOSITORY / "deploy" / "grafana" / "generate", folder], check=True)
            made = {path.name: path.read_text() for path in Path(folder).glob("*.json")}
        assert made == {path.name: path.read_text() for path in FOLDER.glob("*.json")}, "deploy/grafana/generate writes other files"
    with test("dashboards: each panel asks a question, has a unit and a description, and a place of its own"):
        source = re.search(r"uid: (\S+)", (REPOSITORY / "deploy" / "grafana" / "provisioning" / "datasources" / "kontor.yml").read_text())[1]
        every = dashboards()
        assert set(every) == {"overview", "exceptions", "close", "kpis", "internals"}
        assert len({dashboard["uid"] for dashboard in every.values()}) == len(every)
        for name, dashboard in every.items():
            for panel in panels(dashboard):
                where = (name, panel["title"])
                assert panel["title"].endswith("?") and panel["description"].endswith(".") and panel["fieldConfig"]["defaults"]["unit"], where
                assert panel["targets"] and all(target["datasource"]["uid"] == source for target in panel["targets"]), where
            identities = [panel["id"] for panel in dashboard["panels"]]
            assert len(set(identities)) == len(identities) and not overlapping(dashboard), (name, overlapping(dashboard))
            assert "processor=~" in json.dumps(dashboard) and not re.search(r'processor=\\"', json.dumps(dashboard)), f"{name}: a processor is named"
    with test("every metric that a panel or a rule asks for is in docs/metrics.md"):
        assert not unknown_metrics(queries() + rules()), unknown_metrics(queries() + rules())
        assert len(queries()) > 50 and len(rules()) == len(alerts()) + 7


main()
sys.exit(finish())
