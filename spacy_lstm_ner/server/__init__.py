"""The web application: the demo page of a pipeline, and its API."""
