"""Signed heads over the journal, and what shows to others that it is as it was written."""
