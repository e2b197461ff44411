"""Sandboxes on this machine: namespaces, a filter on system calls, limits set inside, and somebody who watches."""
