"""The model: from Docs to emission scores."""
