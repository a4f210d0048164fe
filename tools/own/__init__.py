"""People's own data: a task.yaml and the files that it names, read into a task."""
