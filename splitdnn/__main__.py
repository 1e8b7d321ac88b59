"""`python -m splitdnn`."""

from splitdnn.command import run

if __name__ == "__main__":
    run()
