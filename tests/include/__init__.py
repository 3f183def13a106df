"""Tests of include/: plain Python, no Airflow."""
