"""A virtual device, and an Engine that runs on it without a model.

`Simulated`, the device, is exported by `engine`; `engine.capacity` uses its latencies. Nothing else
here is for others.
"""
