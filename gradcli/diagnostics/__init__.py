"""Findings, and the rules that explain them."""
