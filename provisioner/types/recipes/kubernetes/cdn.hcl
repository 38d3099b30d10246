# No object of Kubernetes serves from near its readers.
