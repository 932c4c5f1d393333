"""The failed jobs, grouped: by cause, function, worker or a parameter."""
