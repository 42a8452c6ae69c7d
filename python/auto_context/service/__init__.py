"""The engine as a service: one process per user that every editor, agent and shell shares.

``client`` and ``api`` are cheap to import anywhere; ``server``, ``process``, ``supervisor`` and ``worker`` are not.
"""
