"""The paper's tables and figures, measured: rows, their networks, and how they are shown."""
