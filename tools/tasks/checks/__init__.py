"""What is looked for in a task before time is spent on it: one file for edges, features, labels, splits, graphs, links."""
