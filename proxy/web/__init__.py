"""What labgate answers itself.

- ``own_paths``  health, readiness, certificate challenges, logout
- ``page``       the pages for people: one template, whole in one response
"""
