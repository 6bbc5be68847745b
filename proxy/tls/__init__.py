"""TLS towards clients.

- ``context``       Mozilla's intermediate profile, and the certificate for each server name
- ``client_hello``  what a client offers: is it complete, which application protocols
- ``groups``        the profile's key exchange groups, of which Python can name but one
"""
