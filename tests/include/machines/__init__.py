"""Tests of include/machines/: machines, their images and their generations."""
