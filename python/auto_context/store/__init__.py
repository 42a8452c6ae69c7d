"""What is kept: the diskcache sidecar (the truth), and the lexical and vector indexes derived from it.

Knows nothing of git, files on disk, models or ranking.
"""
