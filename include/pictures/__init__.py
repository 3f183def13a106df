"""Pictures of what the vault holds: for the mails, and for whoever looks into it.

Each is drawn from facts that the report also says in words, and no run fails for want of one. Whoever draws
nothing doesn't load matplotlib: modules that draw are imported by the two doors, where they are needed.

The doors: ``day_maps.py`` draws a map from each day that a run secured and keeps it beside the day;
``mail_pictures.py`` draws what a mail shows of a whole report. How a TEC map looks? ``tec_map.py``; how it is
read from a day? ``tec_field.py``. The year by day of the year? ``calendar_picture.py``. Downtimes and space?
``trend_pictures.py``. Sizes, colours and the PNG itself? ``canvas.py``.
"""
