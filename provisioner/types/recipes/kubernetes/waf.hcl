# The Gateway API has no filter of requests; each implementation has its own.
