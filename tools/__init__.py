"""Who does: the spec language, tasks, networks, training, profiling and evaluating."""

if __name__ != "agentnas.tools":
    raise ImportError(f"import agentnas.tools, not {__name__}; another package of that name is found from outside this repository's root")
