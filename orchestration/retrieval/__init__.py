"""Search: legs that find candidates, their fusion, and hits that cite; its evaluation.

Comes in: questions, stores and the commit log as contracts. Leaves: hits and measures. Nothing here says
which model or store is used; assembly hands them in.
"""
