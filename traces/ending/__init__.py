"""How the journal ends: the retention an organisation chose, holds, erasures, partitions."""
