"""Connections to hosts.

transport    what a transport can do; ``plugins/`` makes one from an Airflow SSH connection
ssh          the OpenSSH configuration of one host, with its pinned host key
rsync        rsync over OpenSSH: days transferred from the source, restores sent to their targets
failures     the exit statuses and messages of rsync and ssh as our errors
stream       a binary stream to a program on a host
program      a program that runs on a host from memory and answers JSON requests
line_server  the same program's other end
zipapps      a program as one file
local        this machine instead of a host
heartbeat    a run's start and end, sent to a monitor over HTTP
"""
