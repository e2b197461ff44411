"""The shared words of the house. No I/O happens here, and nothing here imports another room."""
