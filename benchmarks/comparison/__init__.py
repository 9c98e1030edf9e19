"""`python -m benchmarks compare`: this gateway and its peers under the same load.

`scenarios` says which systems are compared under which workloads, `runner` runs them in
alternation, `report`, `plots` and `targets` write the result. `figures` and `processes` are used by
single benchmarks too.
"""
