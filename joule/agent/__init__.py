"""The agent: its graph, its tools and what it is shown."""
