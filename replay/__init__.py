"""Looking back: verify, explain and simulate, without ever calling a provider."""
