"""What the rows of the file mean: their values decoded, and the few that take some thought."""
