"""What other libraries need to know of our games, one module per library; each is imported by its own name.

``import stackelberg_envs.clients.torchrl`` raises MissingExtraError where the library is not installed.
"""
