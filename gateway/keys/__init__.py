"""API keys: the file of their hashes, the middleware that checks them, and their limits.

`gateway.api` imports `KeyStore`, `ApiKeyMiddleware`, `caller_of`, `Caller` and `RateLimiter`; the
commands import what reads and writes the file from `gateway.keys.store`.
"""
