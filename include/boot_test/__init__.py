"""BOOT TESTS: boot VMs from their images, to check that they come up.

Which VMs, in which order? ``plan.py``. One boot test? ``boot_test.py``. How does the host read the image?
``nbd_server.py``. The screenshot? ``screenshot.py``. What happens on the host? ``include/agent/boot_test/``.
"""
