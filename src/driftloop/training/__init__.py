"""From known rows to a fitted model: window, contract, split, fit and choice."""
