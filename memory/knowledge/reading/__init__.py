"""Turns the bytes of a document into text with pages, headings and marks, in a process that can do nothing else."""
