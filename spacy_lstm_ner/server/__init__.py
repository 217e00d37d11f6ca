"""The web application: the API of a pipeline, and a page to try it out."""
