"""The page "Backups", in Chromium, with a real Airflow."""
