"""The body of a request: how it is read, and how large it and its fields may be."""
