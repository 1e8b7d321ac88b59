"""The peers' sides: one module a server, run in that server's environment, where no other package of this project is."""
