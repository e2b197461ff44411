"""Puts the house together: the composition root, and the only package that knows every handler and every concrete part."""

from joule.assembly.house import House, open_house

__all__ = ["House", "open_house"]
