"""vLLM's `AsyncLLM` as an Engine, for the CPU and as the base of the Neuron engine.

vLLM is imported in functions of `start`, `request` and `patches`, at the first use. Everything that
is not its public API is in `patches`.
"""
