"""Whether processors that send to each other have taken all: what is in a topic, what is being decided, and what comes of that.

A gauge that says 0 is not enough: it is of some moments ago, and what one processor commits now is another's lag only then. So: counters are read; after that everyone has
asked anew where its inputs end, and lacks nothing; and nobody has committed anything since. Whatever was under way at the first reading, or came of it, would show in one of
the three. What timers and master data set free is not known by this: wait for it first."""

import time

from cluster import sample, wait_until


class Quiescence:
    def __init__(self):
        self.since, self.taken, self.behind, self.seen = None, None, None, False

    def reached(self, texts):
        """texts: what each /metrics says, "" where nothing is said or the processor is not ready. To be called again and again."""
        taken = [sample(text, "kontor_records_total") for text in texts]
        self.behind = [sample(text, "kontor_lag_records") for text in texts]
        asked = [sample(text, "kontor_lag_time_seconds") for text in texts]
        if None in taken or None in self.behind or taken != self.taken:
            self.since, self.taken, self.seen = time.time(), taken, False
            return False
        if any(self.behind) or min(asked) <= self.since:
            self.seen = False
            return False
        seen, self.seen = self.seen, True   # a page of metrics is not of one moment: once more, for what was committed while it was written
        return seen


def await_caught_up(processors, deadline_s=240, meanwhile=None):
    """Until all have taken all (Quiescence says how that is known). meanwhile: called every few seconds and once at the end, for what would make the waiting vain."""
    quiet, asked_at = Quiescence(), time.monotonic()

    def all_quiet():
        nonlocal asked_at
        if meanwhile and time.monotonic() - asked_at > 3:
            meanwhile()
            asked_at = time.monotonic()
        for processor in processors:
            if not processor.alive():
                raise RuntimeError(f"{processor.name} ended with {processor.process.returncode}\n{processor.log_tail()}")
        return quiet.reached([processor.http("/metrics")[1] if processor.ready() else "" for processor in processors])
    wait_until(all_quiet, deadline_s, "processors caught up", interval_s=0.1)
    if meanwhile:
        meanwhile()
