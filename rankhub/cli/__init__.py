"""The command line: one file a verb. torch is imported only inside a verb that needs it."""
