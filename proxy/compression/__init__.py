"""Compresses responses on their way to the client; ``rules.compression`` says which.

In the order a response meets them:

- ``compressor``           begins, unless too many are being compressed already
- ``encoders``             the content codings: zstd, br, gzip
- ``compressed_response``  stands between the proxying and the client's side
"""
