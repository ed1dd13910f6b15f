"""The local web page: a search box, files at the line, a map of the code, and indexing as it goes on.

browser ─▶ guard (who may ask) ─▶ app (routes) ─▶ Host ─▶ JSON ─▶ page/ (plain files, no build step)
"""
