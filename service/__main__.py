"""`python -m service` runs the command `loupe` where it is not installed, such as in a container."""

from service.cli import app

if __name__ == "__main__":
    app(prog_name="loupe")
