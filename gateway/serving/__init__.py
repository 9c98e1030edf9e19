"""The gateway under Ray Serve: the app and its engines as deployments, and the node below them.

`ray_app.build_app` is the import path of a Serve config file. The commands import `run` from
there, `environment`, `host`, `http10`, `local_models` and `orphans`; those, `haproxy`, `supervisor`
and `unavailable` need no Ray. `ray_private` has everything of Ray that is not public.
"""
