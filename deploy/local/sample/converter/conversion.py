"""Runs a conversion: read, look ahead per order line, write in event-time order, count."""

import collections
import contextlib
import json
import os

from . import documents, events as writing, figures, master, payments as paying, source

TOPICS = (writing.PROCUREMENT, writing.INVOICE)


def set_times(events, first, last):
    """The record time: the log's, clamped to [first, last], plus the place among the events of the same time in ms, so that order is kept.

    Returns the ids of the events clamped at either end.
    """
    early, late, previous = [], [], -1
    for event in events:
        moment = event.moment
        if moment < first:
            early.append(event.event_id)
            moment = first
        elif moment > last:
            late.append(event.event_id)
            moment = last
        event.time = previous = max(moment, previous + 1)
    return early, late


def look_ahead(events, cases, derivation):
    """The order lines, in the order of their first events."""
    by_case = {}
    for event in events:
        by_case.setdefault(event.case, []).append(event)
    return {case: documents.Line(case, own, cases.get(case, {}), derivation.codes(cases.get(case, {}))) for case, own in by_case.items()}


class Output:
    """Files of OUTDIR that take their names only when all of them are complete."""

    def __init__(self, folder):
        self.folder = folder
        self.names = []

    @contextlib.contextmanager
    def open(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.names.append(path)
        with open(path + ".part", "w", encoding="utf-8") as file:
            yield file

    def complete(self):
        for path in self.names:
            os.replace(path + ".part", path)

    def abandon(self):
        for path in self.names:
            with contextlib.suppress(OSError):
                os.remove(path + ".part")


def write_events(output, events, lines, writer, payments):
    """One record for every event, of a clear that is a payment those of the payment; returns the count by activity and by topic and kind."""
    by_activity, by_kind = collections.Counter(), collections.Counter()
    with output.open(TOPICS[0] + ".jsonl") as procurement, output.open(TOPICS[1] + ".jsonl") as invoice:
        files = dict(zip(TOPICS, (procurement, invoice)))
        for event in events:
            if payments and event.activity == "Clear Invoice" and payments.take(lines[event.case], event):
                by_activity[event.activity, paying.PAYMENT, "instructed"] += 1
                continue
            text = writer.record(lines[event.case], event)
            files[event.topic].write(text + "\n")
            by_activity[event.activity, event.topic, event.kind] += 1
            by_kind[event.topic, event.kind] += 1
    if payments:
        with output.open(paying.PAYMENT + ".jsonl") as file:
            for kind, count in payments.write(file).items():
                by_kind[paying.PAYMENT, kind] += count
    return by_activity, by_kind


def write_tables(output, tables):
    for table, records in tables.items():
        with output.open(f"master/{table}.jsonl") as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")


def sum_up(lines, name):
    found = sum((getattr(line, name) for line in lines), collections.Counter())
    return dict(sorted(found.items()))


def report(events, cases, lines, defaults, clamped, counts, tables, shown, payments):
    """The content of conversion.json."""
    by_activity, by_kind = counts
    activities = collections.Counter(event.activity for event in events)
    early, late = clamped
    topics = (*TOPICS, paying.PAYMENT) if payments else TOPICS
    kinds = {topic: dict(sorted((kind, count) for (of, kind), count in by_kind.items() if of == topic)) for topic in topics}
    written = sum(by_kind.values())
    return {
        "input": {"events": len(events), "cases": len(cases), "activities": dict(activities.most_common())},
        "output": {"events": written, **{topic: {"events": sum(kinds[topic].values()), "kinds": kinds[topic]} for topic in topics},
                   "activities": {activity: {f"{topic}/{kind}": count for (of, topic, kind), count in sorted(by_activity.items()) if of == activity}
                                  for activity in activities},
                   "master": {table: len(records) for table, records in tables.items()}},
        "dropped": len(events) - sum(by_activity.values()),
        "unlisted_activities": {activity: count for activity, count in activities.most_common() if not writing.is_listed(activity)},
        "clamped": {"before_first": len(early), "after_last": len(late), "event_ids": early + late},
        "unlinked": sum_up(lines.values(), "unlinked"),
        "linked": sum_up(lines.values(), "linked"),
        "filled_in": {**dict(sorted(defaults.counts.items())), "lines_without_case": sum(case not in cases for case in lines),
                      "cases_without_event": sum(case not in lines for case in cases),
                      "lines_without_value_at_creation": sum(line.value_guessed for line in lines.values())},
        **({"payments": payments.found()} if payments else {}),
        **shown,
    }


def print_summary(found, outdir):
    """A short table for people."""
    def row(name, value):
        print(f"  {name:<44} {value:>18}")
    print(f"p2p-to-events: {found['input']['events']:,} events of {found['totals']['lines']:,} order lines into {outdir}")
    for topic in (*TOPICS, paying.PAYMENT):
        if topic not in found["output"]:
            continue
        row(topic, f"{found['output'][topic]['events']:,}")
    row("dropped", f"{found['dropped']:,}")
    row("clamped in time", f"{found['clamped']['before_first'] + found['clamped']['after_last']:,}")
    row("without the document they refer to", f"{sum(found['unlinked'].values()):,}")
    row("activities not listed, told as status", f"{sum(found['unlisted_activities'].values()):,}")
    row("master records", f"{sum(found['output']['master'].values()):,}")
    by_value = found["match_by_value"]
    row("ordered, EUR", f"{found['totals']['ordered']:>18}")
    row("received, EUR", f"{by_value['received']:>18}")
    row("invoices that match by value", f"{by_value.get('matched', 0):,}")
    row("details", "conversion.json")


def run(events_path, cases_path, outdir, first, last, seed=None):
    """Converts, or raises InputError and leaves nothing half written. seed: clears become payments, what the bank makes of them by this seed."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    derivation = master.Derivation(os.path.join(here, "derivation.json"))
    window = source.read_moment(first, "--first"), source.read_moment(last, "--last")
    if window[0] > window[1]:
        raise source.InputError(f"--first {first} is after --last {last}")
    calendar = writing.Calendar(derivation.rules["time_zone"])
    defaults = source.Defaults()
    cases = source.read_cases(cases_path)
    events = source.read_events(events_path, cases, defaults)
    clamped = set_times(events, *window)
    lines = look_ahead(events, cases, derivation)
    years = [int(calendar.date(moment)[:4]) for moment in window]
    tables = master.derive(derivation, cases, events, *years, pays=seed is not None)
    writer = writing.Writer(derivation.rules["source"], derivation.rules["currency"], calendar, derivation.rate)
    payments = None if seed is None else paying.Payments(derivation.rules["payments"], seed, writer, events)
    output = Output(outdir)
    try:
        write_tables(output, tables)
        counts = write_events(output, events, lines, writer, payments)
        shown = figures.gather(list(lines.values()), events, calendar)
        found = report(events, cases, lines, defaults, clamped, counts, tables, shown, payments)
        if found["dropped"] != 0:
            raise source.InputError(f"{found['dropped']} events were dropped: an error of the converter, please report it")
        with output.open("conversion.json") as file:
            json.dump(found, file, ensure_ascii=False, indent=1)
            file.write("\n")
        output.complete()
    except OSError as error:
        output.abandon()
        raise source.InputError(f"{error.filename or outdir}: cannot be written: {error.strerror or error}") from error
    except source.InputError:
        output.abandon()
        raise
    print_summary(found, outdir)
