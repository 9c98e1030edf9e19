"""Engine middleware: Engines that wrap an Engine and decide when, whether and where it generates.

`pipeline` says which of them stand before an engine, and in which order; `gateway.api` and
`gateway.serving` import the pipelines from there, and `token_estimate` where they need estimates.
"""
