"""How others reach the system: the process behind the Unix socket, and the library that speaks to it."""
