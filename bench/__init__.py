"""HOW FAST: our ways beside what people would use instead, in one run; ``make bench``.

    day_copy.py        a day copied, proven and published; against rsync, and scp with sha256sum
    dag_cost.py        what importing the DAG costs, and a run with nothing to do
    vault_listing.py   ten years of days, listed

Medians, and ratios: seconds are this machine's. A row that doesn't hold stays in the table.
"""
