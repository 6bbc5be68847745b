"""Certificates: where they come from and what is wrong with them.

- ``sources``             which files the configuration names, and who looks after them
- ``files``               pairs on disk, checked before they are used
- ``development_ca``      a certificate authority of one's own, for a laptop
- ``x509``                certificates that labgate signs itself
- ``managed_certificate`` one source, and what is in service from it
- ``store``               all of them, exchanged while listeners listen
- ``watch``               looks at the files again and again
- ``status``              what the running instance tells ``labgate cert show``
- ``acme``                obtains and renews certificates by itself
"""
