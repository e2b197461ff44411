"""Providers, their scopes and their operations, as checked and frozen data."""
