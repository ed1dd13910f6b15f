"""Treemill inside other frameworks: their splitters and retrievers over our chunks and answers.

Each module needs the package it is named after, and is imported by whoever has that: `treemill.adapters.langchain`,
`treemill.adapters.llama_index`.
"""
