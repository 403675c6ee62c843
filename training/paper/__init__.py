"""The paper's tables and figures: measured rows, the networks behind them, and their rendering."""
