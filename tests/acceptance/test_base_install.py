"""The wheel with its base requirements only: client and command line, without torch and the server."""
