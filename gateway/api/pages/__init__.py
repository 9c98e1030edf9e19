"""Pages for a person's browser: `GET /` and `/docs`. Nothing on them comes from another host."""
