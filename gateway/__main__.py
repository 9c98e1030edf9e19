"""`python -m gateway` is `neuron-gateway`."""

from gateway.cli import main

main()
