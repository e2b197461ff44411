"""The journal as OpenTelemetry spans and metrics: a projection, sent to a backend the deployment chose; never content."""
