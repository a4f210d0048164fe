"""``agentnas chat``: a conversation in which a person and a language model use the tools of the command line."""
