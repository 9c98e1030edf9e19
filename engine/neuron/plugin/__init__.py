"""What runs inside the process of vLLM's Neuron plugin, and what reads that process's output.

`hook` is vLLM's entry point there; `sampling_rows` patches the plugin's runner; `log_pipe` and
`causes` say to the parent process what phase a start is in and why an engine died.
"""
