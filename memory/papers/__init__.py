"""Papers that a person adds to the memory: files into papers, papers into cards."""
