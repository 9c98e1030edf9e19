"""Stand-in Terraform providers: they serve provider schemas, so that the real CLI runs offline.

`terraform init`, `validate`, `plan`, `apply`, `destroy` and `test` then need no registry, no
account and no network. The CLI checks every block, argument, type and reference against the real
schema; computed values are invented from the configuration, the same ones each time. What no
schema says goes unchecked: allowed values, formats, arguments that exclude each other.
"""
