"""The gate, the policy it asks, and the approvals people give."""
