"""An organisation's own policies: drafted, tried beside the others, enforced, rolled back. They can only restrict."""
