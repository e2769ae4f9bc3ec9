"""Scans of this project's own code: pitfalls, secrets, known flaws, licences, bill of materials."""
