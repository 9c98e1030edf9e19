"""A node with Neuron devices: what its files show, and whether an engine can run there.

For `engine.neuron.device`, which imports `doctor`, and `engine.neuron.engine` alone.
"""
