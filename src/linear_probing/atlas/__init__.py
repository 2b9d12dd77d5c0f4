"""The embedded model: the world it knows, the sentences it reads, and how it is trained."""
