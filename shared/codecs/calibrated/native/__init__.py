"""The codec in compiled code, with the same bytes and values as in numpy. Nobody who installs it needs a compiler: lib/ holds it."""
