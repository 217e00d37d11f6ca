"""The local web application: the demo page and its API."""
