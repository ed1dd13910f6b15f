"""Agents and their settings files: which there are, and how Treemill is written into and out of them.

agents named or found ─▶ plan (nothing is written) ─▶ changes to show ─▶ apply, with receipts ─▶ undo, to the byte
"""
