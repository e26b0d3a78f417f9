"""The command line: each command parses, calls the API, delivers its report."""
