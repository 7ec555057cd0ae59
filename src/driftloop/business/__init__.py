"""Business: what the system earns, what another objective promises, and whether to go on."""
