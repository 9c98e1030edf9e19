"""What the gateway shows of itself: metrics, the log, and traces.

`RequestRecord` collects what happened to a request, and is published once, at its end. `metrics`
has the one table of metrics and the `Meter` protocol; `prometheus` and `ray_metrics` implement it.
All packages above may import from here; `ray_metrics` is the only module that needs Ray.
"""
