"""The command line, `neuron-gateway`: one module per command, assembled in `main`.

Only the console script and `python -m gateway` import from here. Other packages add commands by
entry points: see `extensions`.
"""
