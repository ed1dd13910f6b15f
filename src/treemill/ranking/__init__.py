"""How answers are ranked: words, postings, questions, evidence, signals and their weights. Pure: values in and out."""
