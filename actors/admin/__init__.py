"""What operators have: the command line and the admin shell, over one set of commands."""
