"""Search: legs that find candidates, their fusion, and hits that cite; its evaluation.

Comes in: questions, stores and the commit log as contracts. Leaves: hits and measures. Models and stores are
passed in by the caller.
"""
