"""The one way out of a sandbox: closed unless an organisation lists hosts, and every request through it decided and written down."""
