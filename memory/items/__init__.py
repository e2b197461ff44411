"""Remembered items: what is known of a project, where each of it came from, who agreed to it, and how it is forgotten."""
