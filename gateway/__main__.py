"""`python -m gateway` is `neuron-gateway`."""

from gateway.commands.main import main

main()
