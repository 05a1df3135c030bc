"""Turns a purchase-to-pay event log into kontor's events and master data; README.md tells the rules."""
