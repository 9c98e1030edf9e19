"""`neuron-gateway plan`: choose the inf2 instances for a model and a workload.

`command` is the command, `tables` and `plot` show its results, `config_file` writes the config
that it ends with. The calculation is in `engine.capacity`. Only `gateway.commands.main` imports
from here.
"""
