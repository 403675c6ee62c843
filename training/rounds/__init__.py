"""The table `rounds`: a second round of buying after some patches were seen, and guarantees by site."""
