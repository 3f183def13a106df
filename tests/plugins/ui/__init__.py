"""The page "Backups", in a real Chromium and a real Airflow."""
