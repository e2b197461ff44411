"""Tasks: asking, dispatching, running, streaming and stopping them."""
