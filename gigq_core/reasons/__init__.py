"""Why a job is where it is, in words: the list's, the detail's and the commands'."""
