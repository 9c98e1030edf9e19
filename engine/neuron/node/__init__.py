"""A node with Neuron devices: what its files show, and whether an engine can run there.

`engine.neuron.device` imports `doctor`, `engine.neuron.engine` the device files; nobody else.
"""
