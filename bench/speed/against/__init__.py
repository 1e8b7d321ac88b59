"""Another version of the project beside this one."""
