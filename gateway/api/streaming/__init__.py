"""How every endpoint responds: deltas become frames, or one JSON object.

Endpoints import `respond`, and subclass `Choice` and `ChoicesRenderer`, or write a `Renderer`.
"""
