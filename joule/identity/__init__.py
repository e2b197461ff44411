"""Organisations, people, roles and how they sign in."""
