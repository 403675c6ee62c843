"""`python -m service` that ends with the process at the other end of its standard input."""

import os
import runpy
import signal
import threading

STDIN = 0


def main() -> None:
    """Run the command of this process's arguments until it ends or its standard input does."""
    threading.Thread(target=end_with_input, daemon=True).start()
    runpy.run_module("service", run_name="__main__")


def end_with_input() -> None:
    """Wait until nobody holds the other end of the pipe, then stop this process as its operator would."""
    while os.read(STDIN, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
