"""The dashboards that are checked in, and the queries of them and of the rules."""

import json
import re

from cluster import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "grafana" / "dashboards"
RULES = REPOSITORY / "deploy" / "prometheus" / "rules"


def dashboards():
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def panels(dashboard):
    """Those that ask something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries():
    """[(where, PromQL)] as Grafana sends them with all processors chosen and a window of a minute."""
    return [(f"{name}, {panel['title']} ({target['refId']})", target["expr"].replace("$__rate_interval", "1m").replace("$processor", ".+"))
            for name, dashboard in dashboards().items() for panel in panels(dashboard) for target in panel["targets"]]


def rules():
    """[(name, PromQL)] of every alert and recording rule. One line each, as the files are written."""
    found = []
    for path in sorted(RULES.glob("*.yml")):
        name = None
        for line in path.read_text().splitlines():
            head = re.match(r" +- (?:alert|record): (\S+)$", line)
            if head:
                name = head[1]
            elif line.strip().startswith("expr: "):
                found.append((name, line.split("expr: ", 1)[1]))
    return found
