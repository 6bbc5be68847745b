"""labgate under mixed traffic for minutes: nothing may grow."""
