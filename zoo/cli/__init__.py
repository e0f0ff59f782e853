"""The command line: words in, one function, text out."""
