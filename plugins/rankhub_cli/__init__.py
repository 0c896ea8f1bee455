"""Official plugin: the command line. torch is imported only inside a verb that needs it."""
