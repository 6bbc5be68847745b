"""labgate as a part of whole services; run by name: ``make test-deployment``."""
