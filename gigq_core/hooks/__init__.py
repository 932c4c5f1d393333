"""Jobs that are submitted because others have failed or completed."""
