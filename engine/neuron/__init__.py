"""AWS Inferentia2: its instances, what fits on them, and the guards around its vLLM plugin.

Nothing here imports vLLM or torch; only `rows` and `hook` touch the plugin, inside its process.
"""
