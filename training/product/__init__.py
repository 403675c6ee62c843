"""The product: value regression, the choices on validation, and the bundle with its card."""
