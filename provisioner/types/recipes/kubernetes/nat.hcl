# A cluster has its ways out from the network that its nodes stand in.
