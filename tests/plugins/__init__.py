"""Tests of what Airflow sees."""
