"""What runs inside the process of vLLM's Neuron plugin, and what reads that process's output.

`hook` is vLLM's entry point there; `sampling_rows` patches the plugin's runner; `log_pipe` and
`causes` are the parent's side: the phase of a start, and why an engine died.
"""
