"""The HTTP API: `create_app`, the endpoints, and the way of a request through a `RequestSession`.

An endpoint's folder has `protocol.py` (what is read), `response.py` (what is written),
`rendering.py` (deltas to frames) and `router.py`. `serving` and `commands` import `create_app`.
"""
