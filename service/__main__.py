"""`python -m service` starts the server with the settings of the environment."""

import sys

from service.serving import run
from service.settings import Settings

if __name__ == "__main__":
    sys.exit(run(Settings()))
