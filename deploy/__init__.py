"""Everything that deploys the gateway; `deploy.planner` is its one Python package."""
