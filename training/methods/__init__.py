"""The paper's training stages, and the methods that the paper compares them with."""
