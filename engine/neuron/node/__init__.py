"""A node with Neuron devices: what its files show, and whether an engine can run there.

`doctor` is for `engine.neuron.device`, `machine` for `engine.neuron.engine`; the rules and the plan
of a config import `host_memory`, which looks at no machine.
"""
