"""The table `where`: what orders of buying find, label, count and cost, with its controls and figures."""
