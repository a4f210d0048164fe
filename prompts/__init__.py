"""What language models are told: one template a role, and the loader that checks its placeholders."""

if __name__ != "agentnas.prompts":
    raise ImportError(f"import agentnas.prompts, not {__name__}; another package of that name is found from outside this repository's root")
