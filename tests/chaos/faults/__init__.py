"""The table of faults: each module's ALL, in the order of docs/under-fire.md."""

from faults import brokers, input, machine, network, processes, registry, state

FAULTS = [*processes.ALL, *brokers.ALL, *network.ALL, *registry.ALL, *state.ALL, *input.ALL, *machine.ALL]
BY_NAME = {fault.name: fault for fault in FAULTS}
