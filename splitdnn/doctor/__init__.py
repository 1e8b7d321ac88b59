"""`splitdnn doctor`: what is wrong with a machine, its network, its cameras, its cloud and the link between them."""
