"""Many designs in one night: a file of jobs, each a process of its own, a deadline and a purse that they share, a page in the morning."""
