"""Measurements: each module times one promise beside what a user would otherwise pick. Never run by the tests."""
