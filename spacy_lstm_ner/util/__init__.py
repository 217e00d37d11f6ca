"""What all parts of the package may use, and that uses none of them."""
