"""PICTURES: what the vault holds, drawn for the mails and for browsing the vault.

The report also gives the content of each picture as text, and no run fails because of a picture. Only the two
entry points import the modules that draw, and only to draw, because those load matplotlib.

Entry points: ``day_maps.py`` draws a map of each day that a run copied, and stores it beside the day;
``mail_pictures.py`` draws the pictures of a whole report. A TEC map: ``tec_map.py``, from the data that
``tec_field.py`` reads. A year by day of the year: ``calendar_picture.py``. Downtimes and space:
``trend_pictures.py``. Sizes, colours and the PNG format: ``canvas.py``.
"""
