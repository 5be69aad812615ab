"""What an exchange cost, in US dollars: the provider's own figure, else the user's prices, else a list of them.

A price never changes a count. Where nobody knows one, it is None.
"""
