"""What is of use to all parts of the package, and knows none of them."""
