"""Numbers of bytes for people."""


def bytes_of(size: int) -> str:
    """Format a number of bytes: "928 B", "1.2 MB"."""
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
