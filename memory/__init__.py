"""Who remembers: the journal of a run, its directory, and the evidence that proposals cite."""

if __name__ != "agentnas.memory":
    raise ImportError(f"import agentnas.memory, not {__name__}; another package of that name is found from outside this repository's root")
