"""Calls of the API that stand alone, a module each; `gradcli.api` offers all."""
