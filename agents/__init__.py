"""Who decides: the graph of agents, its state, and the planner, coder and analyst."""

if __name__ != "agentnas.agents":
    raise ImportError(f"import agentnas.agents, not {__name__}; another package of that name is found from outside this repository's root")
