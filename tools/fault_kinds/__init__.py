"""The kinds of faults of ``tools/fault_campaign.py``, each with the oracle that says what must come of it."""
