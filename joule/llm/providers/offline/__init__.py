"""The offline model: a planner of our own that answers a documented set of requests without any provider."""
