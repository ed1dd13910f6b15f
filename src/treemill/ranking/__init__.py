"""How answers are ranked: words, postings, signals and their fusion. Pure: values in, values out."""
