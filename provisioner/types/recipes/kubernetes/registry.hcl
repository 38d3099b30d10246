# Harbor keeps its projects, and what holds for them, in its own database: there is no object that says them. A chart of all of Harbor would say nothing
# of immutable tags and of what is kept.
