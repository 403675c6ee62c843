"""Ways of choosing patches that look at no pixel: what a policy has to beat at the same S."""
