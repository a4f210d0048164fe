"""Language models: one small protocol, its providers, and what keeps them inside a budget."""
