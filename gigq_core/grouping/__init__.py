"""Jobs and failed attempts, grouped and counted in steps by what they have in common."""
