"""The pages, as a browser shows them: one browser for all of them that a process tests in turn."""
