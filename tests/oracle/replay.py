"""From a folder of JSON lines to decided events: reads, spreads over the partitions, replays each."""
from events import INVOICE, PROCUREMENT, read_events
from masters import Masters
from task import Task


def replay(folder, partitions=32):
    """(all events with their latest outcome, tasks) of a folder."""
    masters = Masters(folder + "/master")
    inputs = [[[] for _ in range(partitions)] for _ in (PROCUREMENT, INVOICE)]
    events = []
    for topic in (PROCUREMENT, INVOICE):
        for event in read_events(folder, topic, partitions):
            inputs[topic][event.partition].append(event)
            events.append(event)
    tasks, picked_rules = [], {}
    for partition in range(partitions):
        task = Task(masters, picked_rules)
        task.replay(inputs[PROCUREMENT][partition], inputs[INVOICE][partition])
        tasks.append(task)
    return events, tasks
