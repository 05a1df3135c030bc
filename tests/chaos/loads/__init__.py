"""The loads: what is sent while faults strike, the same for the same seed, with what must come of it by somebody else's reckoning. What each must have is in office.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "e2e"))
from loads.office import Office  # noqa: E402
from loads.people import People  # noqa: E402
from loads.sums import Sums  # noqa: E402

NAMES = ("office", "people", "sums")


def load_of(kind, seed, seconds, chance, with_hot_key):
    """Seeds of a decade share a load."""
    decade = seed // 10
    if kind == "people":
        return People(decade, max(140, min(700, seconds * 2)))
    if kind == "sums":
        return Sums(decade, seconds)
    return Office(decade * 10, max(60, min(300, seconds)), hot=with_hot_key and chance.random() < 0.2)
