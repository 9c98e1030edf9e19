"""`POST /v1/completions`: text or token ids, continued; of others only `create_app` imports it."""
