"""The store on PostgreSQL: many repositories in one database, each with one writer at a time and any number of readers.

address      a URL, what of it may be shown, and a connection to it
explaining   the one place where the server's errors become Treemill's
migrating    the schema, brought up to date by numbered files
repository   the row that stands for one root's index
rows         values to rows and back
lease        one writer a repository: an advisory lock, and a number that shuts out who has lost it
writer       whole files in, one transaction a commit
vectors      a table of vectors a repository, and its HNSW index
snapshot     one moment: a read transaction that is taken up again where the server ends it
layouts      segment files in the user's cache folder, laid out from the rows
store        the repository of one root
replacing    a new index beside the old one, swapped by name
door         what is loaded by name
"""
