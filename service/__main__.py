"""`python -m service` is the command `loupe` where no command is installed: in a container, in a checkout."""

from service.cli import app

if __name__ == "__main__":
    app(prog_name="loupe")
