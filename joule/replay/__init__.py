"""Runs a recorded task again, with no effects, and compares."""
