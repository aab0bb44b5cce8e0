"""Providers that answer: those that simulations and trials use, and those that call somebody."""
