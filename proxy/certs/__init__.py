"""Certificates: obtained, checked, put into service, replaced while labgate serves.

``proxy.certificate_service`` does that for a running labgate, with these, in the order of a start:

- ``sources``             where the configuration says that certificates come from
- ``development_ca``      a certificate authority for development on a laptop
- ``x509``                certificates that labgate signs itself
- ``files``               pairs of certificate and key on disk, checked before they are used
- ``managed_certificate`` one source and the pair in service from it
- ``store``               all certificates in service
- ``status``              the status file for ``labgate cert show``
- ``watch``               reloads files that have changed
- ``acme``                obtains and renews certificates by ACME
"""
