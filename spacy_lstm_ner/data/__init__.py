"""Dataset files → Docs: what `convert` and the reader `BIOCorpus` are made of."""
