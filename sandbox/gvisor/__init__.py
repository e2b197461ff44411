"""Sandboxes behind a kernel in user space: gVisor's `runsc`, itself shut in by bubblewrap."""
