"""The command line. It parses, calls and prints; every decision is made in the rooms below."""
