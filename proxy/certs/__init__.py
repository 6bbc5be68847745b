"""Certificates: where they come from and what is wrong with them.

- ``files``  pairs on disk, checked before they are used
- ``devca``  a certificate authority of one's own, for a laptop
"""
