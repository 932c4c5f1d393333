"""Jobs that are made again and again: the rules, when their slots are, one job a slot."""
