"""From a folder of JSON lines to decided events: reads, spreads over the partitions, replays each; payments after the invoices that they pay."""
from events import INVOICE, PAYMENT, PROCUREMENT, read_events
from masters import Masters
from payments import PaymentTask
from task import Task


def replay(folder, partitions=32, source=None):
    """(all events with their latest outcome, tasks) of a folder; source: of these sources alone (read_events)."""
    masters = Masters(folder + "/master")
    inputs = [[[] for _ in range(partitions)] for _ in (PROCUREMENT, INVOICE, PAYMENT)]
    events = []
    for topic in (PROCUREMENT, INVOICE, PAYMENT):
        for event in read_events(folder, topic, partitions, source):
            inputs[topic][event.partition].append(event)
            if event.outcome != "clock":
                events.append(event)
    tasks, picked_rules = [], {}
    for partition in range(partitions):
        task = Task(masters, picked_rules)
        task.replay(inputs[PROCUREMENT][partition], inputs[INVOICE][partition])
        tasks.append(task)
        if any(event.outcome != "clock" for event in inputs[PAYMENT][partition]):
            payments = PaymentTask(masters, picked_rules)
            payments.replay(task.payables, inputs[PAYMENT][partition])
            tasks.append(payments)
    return events, tasks
