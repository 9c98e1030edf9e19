"""Benchmarks of OpenAI-compatible servers: `python -m benchmarks --help`.

`comparison` runs this gateway beside other servers (`make bench`). The other modules each measure
one thing; most need only the URL of a server.
"""
